import { array, bytes, u8, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, list, nested, opaque, s32, x8, x16, x32 } from '../codec/kinds.ts';

const vga = defineStruct('Unit vga, version 34', 'device-units.md', {
  vramSize: { kind: u32, doc: 'bytes; compared with the machine' },
  monitors: { kind: u32, doc: 'compared with the machine' },
  latch: { kind: x32, doc: '' },
  sequencerIndex: { kind: x8, doc: '' },
  sequencer: { kind: array(x8, 8), doc: '' },
  graphicsIndex: { kind: x8, doc: '' },
  graphics: { kind: array(x8, 16), doc: '' },
  attributeIndex: { kind: x8, doc: '' },
  attribute: { kind: array(x8, 21), doc: '' },
  attributeFlipFlop: { kind: u32, doc: '' },
  crtcIndex: { kind: x8, doc: '' },
  crtc: { kind: bytes(256), doc: '' },
  ...fields(x8, ['msr', 'fcr', 'st00', 'st01', 'dacState', 'dacSubIndex', 'dacReadIndex', 'dacWriteIndex']),
  dacCache: { kind: array(x8, 3), doc: '' },
  palette: { kind: bytes(768), doc: '256 colours of red, green and blue' },
  bankOffset: { kind: u32, doc: 'bytes' },
  vbeCount: { kind: u8, doc: 'number of registers of VBE' },
  vbeIndex: { kind: u16, doc: '' },
  vbe: {
    kind: ({ vbeCount }: { vbeCount: number }) => list(x16, vbeCount),
    doc: 'registers of VBE: id, width, height, bits per pixel, enabled, bank, …',
  },
  vbeStart: { kind: x32, doc: 'start of the picture in video memory' },
  vbeLine: { kind: u32, doc: 'bytes of a line' },
  rest: { kind: opaque(), doc: 'HGSMI, video acceleration, VMSVGA' },
});

const monitor = defineStruct('Monitor, DisplayData version 1.5', 'units-compared.md', {
  ...fields(u32, ['width', 'height', 'bytesPerLine', 'bitsPerPixel', 'startOffset']),
  x: { kind: s32, doc: '' },
  y: { kind: s32, doc: '' },
  flags: { kind: x32, doc: '' },
});

const displayData = defineStruct('Unit DisplayData, version 1.5', 'units-compared.md', {
  count: { kind: u32, doc: 'monitors; compared with the machine' },
  monitors: {
    kind: ({ count }: { count: number }) => list(nested(monitor), count),
    doc: 'names of the fields are a guess',
  },
  ...fields(s32, ['originX', 'originY']),
  ...fields(u32, ['right', 'bottom', 'width', 'height'], 'names are a guess'),
});

/** For an absent picture neither width nor height is written, though the size counts them. */
export const SIZE_OF_SIZES = 8;

const picture = defineStruct('Picture of the screen, DisplayScreenshot version 1.1', 'units-compared.md', {
  size: { kind: u32, doc: 'bytes' },
  type: { kind: u32, doc: '0 small and raw, 1 PNG' },
  bytes: {
    kind: ({ size }: { size: number }) => bytes(size > SIZE_OF_SIZES ? size : 0),
    doc: 'width and height first',
  },
});

const screenshots = defineStruct('Unit DisplayScreenshot, version 1.1', 'units-compared.md', {
  count: { kind: u32, doc: 'pictures' },
  pictures: { kind: ({ count }: { count: number }) => list(nested(picture), count), doc: '' },
});

export type Vga = StructValue<typeof vga>;

/** Register of VBE whose lowest bit switches its mode on. */
const VBE_ENABLE = 4;

/** Whether the screen is in a mode of VBE instead of VGA. */
export function isVbeOn({ vbe }: Vga): boolean {
  return ((vbe[VBE_ENABLE] ?? 0) & 1) !== 0;
}
export const vgaCodec = codecOf(vga);
export const displayDataCodec = codecOf(displayData);
export const screenshotCodec = codecOf(screenshots);
