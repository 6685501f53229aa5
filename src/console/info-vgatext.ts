import { PAGE_SIZE } from '../../formats/sizes.ts';
import { vgaCodec } from '../../formats/units/display/codecs.ts';
import { codecFor } from '../../formats/units/table.ts';
import type { Machine } from '../machine/machine.ts';
import { noScreen, screenOf, TEXT_MEMORY, type TextScreen } from '../saved-state/describe/text-screen.ts';
import { type Answer, linesOf } from './answer.ts';
import type { ConsoleSession } from './session.ts';

/**
 * `info vgatext`: the text screen, framed as VirtualBox prints it; memory that was written since loading shows in it.
 */
export function infoVgaText({ machine }: ConsoleSession): Answer {
  const screen = screenOfMachine(machine);
  const { columns, rows } = screen;
  const size = ` ${columns}x${rows} `;
  const left = Math.floor(Math.max(columns - size.length, 0) / 2);
  const head = `${'-'.repeat(left)}${size}`.padEnd(columns, '-');
  return linesOf([head, ...screen.lines.map((line) => line.padEnd(columns)), '-'.repeat(columns)], [screen]);
}

/** @throws UnsupportedError `no-text-screen` */
function screenOfMachine(machine: Machine): TextScreen {
  const { header, payload } = machine.units.find((unit) => unit.header.name === 'vga') ?? {};
  const vram = machine.memory.mmio2.all.find(({ device, region }) => device === 'vga' && region === 0);
  if (!header || !payload || !vram) throw noScreen('the machine has no graphics');
  if (codecFor(header) !== vgaCodec) throw noScreen(`the layout of unit vga, version ${header.version}, is not known`);
  const memory = new Uint8Array(TEXT_MEMORY);
  const { backing } = machine.memory.pages;
  for (let page = 0; page < Math.min(vram.pages, TEXT_MEMORY / PAGE_SIZE); page++)
    memory.set(backing.pageBytes(vram.pageId[page]), page * PAGE_SIZE);
  return screenOf(vgaCodec.decode(payload, header.version), memory);
}
