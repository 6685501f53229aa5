import type { Cursor } from '../../binary/cursor.ts';
import { u32 } from '../../binary/kinds.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import {
  type ConfigFact,
  comparedRow,
  firstBytes,
  lenient,
  type Reading,
  type UnitRow,
  versions,
} from '../codec/unit-row.ts';
import { displayDataCodec, screenshotCodec, vgaCodec } from './codecs.ts';

/** Compared values of the units with the number of monitors; video memory is compared with that of unit pgm. */
export function monitorsConfig(monitors: number): DeviceConfig {
  return { monitors };
}

/** First version of unit vga whose last `VGA_TAIL` bytes show 3D acceleration. */
const VGA_VERSION_WITH_3D = 34;
const VGA_TAIL = 28;

function readMonitors(cursor: Cursor): DeviceConfig {
  u32.read(cursor);
  return monitorsConfig(u32.read(cursor));
}

function readCount(cursor: Cursor): DeviceConfig {
  return monitorsConfig(u32.read(cursor));
}

const withTail: Reading<ConfigFact & { has3d?: boolean }> = async (payload) => {
  const config = await payload.parse(readMonitors);
  const tells = has3d(await payload.tail(VGA_TAIL));
  return { config, has3d: tells };
};

/** Units with the number of monitors: vga has it after the size of its memory; DisplayData has it, too. */
export const screenRows: readonly UnitRow[] = [
  comparedRow('vga', versions(6, VGA_VERSION_WITH_3D - 1), readMonitors),
  {
    unit: 'vga',
    versions: versions(VGA_VERSION_WITH_3D),
    isCompared: true,
    facts: lenient(withTail),
    codec: vgaCodec,
    livePass: firstBytes(8),
  },
  comparedRow('DisplayData', versions(0x10001, 0x10004), readCount),
  comparedRow('DisplayData', versions(0x10005), readCount, displayDataCodec),
  { unit: 'DisplayScreenshot', versions: versions(0x10001), codec: screenshotCodec },
];

/**
 * Whether a machine with VMSVGA was saved with 3D acceleration, by the end of unit vga; undefined if the guest has used
 * the adapter so much that the end is ambiguous. Seen in states of 7.2.22 of both kinds.
 * @param tail the last `VGA_TAIL` bytes of a payload of version 34
 */
export function has3d(tail: Uint8Array): boolean | undefined {
  const text = Buffer.from(tail).toString('latin1');
  if (/\xff{8}\0{12}6Marker\n$/.test(text)) return false;
  return /\xff{8}\0{4}6Marker\n$/.test(text) ? true : undefined;
}
