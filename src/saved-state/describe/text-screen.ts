import { UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isMmio2, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { isVbeOn, type Vga, vgaCodec } from '../../../formats/units/display/codecs.ts';
import { codecFor } from '../../../formats/units/table.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';
import { CODE_PAGE_437 } from './code-page-437.ts';
import { payloadOf } from './unit-payload.ts';

/** Content of a screen in text mode. */
export interface TextScreen {
  columns: number;
  rows: number;
  /** From 0; absent where the cursor is switched off, or outside of the part that is shown. */
  cursor?: { column: number; row: number };
  /** By row, without the blanks at its end. */
  lines: readonly string[];
}

/** Characters that the memory of text mode holds; addresses beyond wrap around. */
const CHARACTERS = 0x8000;
/** Bytes for each plane address: a character, its attribute, and two bytes of fonts. Text uses every second address. */
const CHARACTER_STRIDE = 8;
/** Bytes of video memory, from its start, that text modes use. */
export const TEXT_MEMORY = CHARACTERS * CHARACTER_STRIDE;

/**
 * The text screen of a state, out of the registers and the memory of its VGA.
 * @throws UnsupportedError `no-text-screen` where there is none; errors of `walkState`
 */
export async function textScreenOf(
  source: ByteSource,
  options: Pick<WalkOptions, 'onProgress' | 'signal'> = {},
): Promise<TextScreen> {
  const state = await walkState(source, { ...options, skipCrc: true });
  const vram = state.pgm?.config?.mmio2.find(({ device, region }) => device === 'vga' && region === 0);
  const unit = state.units.findLast(({ name, pass }) => name === 'vga' && pass === 'final');
  if (!unit || !vram) throw noScreen('the machine has no graphics');
  if (codecFor(unit) !== vgaCodec) throw noScreen(`the layout of unit vga, version ${unit.version}, is not known`);
  const memory = new Uint8Array(TEXT_MEMORY);
  const take = (batch: PageBatch) => {
    for (let i = 0; i < batch.count; i++) {
      const at = batch.page[i] * PAGE_SIZE;
      if (isMmio2(batch.kind[i]) && batch.id[i] === vram.id && at < TEXT_MEMORY) batch.decode(i, memory, at);
    }
  };
  const payload = await payloadOf(source, unit, { ...options, sink: { take } });
  return screenOf(vgaCodec.decode(payload, unit.version), memory);
}

/** @param why nothing can be shown */
export function noScreen(why: string): UnsupportedError {
  return new UnsupportedError('no-text-screen', `There is no text screen: ${why}`);
}

/** Register of the graphics controller, and its bit for graphics modes. */
const MISCELLANEOUS = 6;
const GRAPHICS_MODE = 1;
/** Registers of the CRT controller. */
const CRTC = {
  columns: 0x01,
  overflow: 0x07,
  characterHeight: 0x09,
  cursorStart: 0x0a,
  startHigh: 0x0c,
  startLow: 0x0d,
  cursorHigh: 0x0e,
  cursorLow: 0x0f,
  displayEnd: 0x12,
  offset: 0x13,
} as const;
const CURSOR_OFF = 0x20;
const DOUBLE_SCAN = 0x80;

/** @param memory of the adapter, from its start @throws UnsupportedError `no-text-screen` */
export function screenOf(vga: Vga, memory: Uint8Array): TextScreen {
  const { crtc, graphics } = vga;
  if ((graphics[MISCELLANEOUS] & GRAPHICS_MODE) !== 0 || isVbeOn(vga))
    throw noScreen('the adapter is in a graphics mode (savkit screenshot -o FILE gets the picture)');
  const columns = crtc[CRTC.columns] + 1;
  const end = crtc[CRTC.displayEnd] | ((crtc[CRTC.overflow] & 2) << 7) | ((crtc[CRTC.overflow] & 0x40) << 3);
  const height = (crtc[CRTC.characterHeight] & 0x1f) + 1;
  const rows = Math.floor((end + 1) / ((crtc[CRTC.characterHeight] & DOUBLE_SCAN) === 0 ? height : 2 * height));
  const pitch = 2 * crtc[CRTC.offset];
  if (rows === 0 || pitch === 0) throw noScreen('no mode has been set yet');
  const start = (crtc[CRTC.startHigh] << 8) | crtc[CRTC.startLow];
  const characterAt = (row: number, column: number) =>
    CODE_PAGE_437[memory[((start + row * pitch + column) % CHARACTERS) * CHARACTER_STRIDE]];
  const lines = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => characterAt(row, column))
      .join('')
      .trimEnd(),
  );
  const at = ((crtc[CRTC.cursorHigh] << 8) | crtc[CRTC.cursorLow]) - start;
  const cursor = { row: Math.floor(at / pitch), column: at % pitch };
  const isShown =
    (crtc[CRTC.cursorStart] & CURSOR_OFF) === 0 && at >= 0 && cursor.row < rows && cursor.column < columns;
  return { columns, rows, cursor: isShown ? cursor : undefined, lines };
}
