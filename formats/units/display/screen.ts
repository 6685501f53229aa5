import { u32 } from '../../binary/kinds.ts';
import type { ConfigUnit, DeviceConfig } from '../device-config.ts';

/** The graphics adapter's video memory, in bytes, is compared where device memory is, see unit pgm. */
export function monitorsConfig(monitors: number): DeviceConfig {
  return { monitors };
}

/** Both know how many monitors there are: the adapter, after the size of its memory, and what stands behind the screen. */
export const screenUnits: readonly ConfigUnit[] = [
  {
    unit: 'vga',
    versions: [6, 34],
    read(cursor) {
      u32.read(cursor);
      return monitorsConfig(u32.read(cursor));
    },
  },
  { unit: 'DisplayData', versions: [0x10001, 0x10005], read: (cursor) => monitorsConfig(u32.read(cursor)) },
];

/** Version of unit vga whose end tells of 3D, in so many bytes. */
export const VGA_VERSION_WITH_3D = 34;
export const VGA_TAIL = 28;

/**
 * Whether a machine with VMSVGA was saved with 3D acceleration, by how the last part of unit vga ends; undefined where the guest has used so much of the
 * adapter that the end does not tell. Seen in states of 7.2.22 of both kinds.
 * @param tail the last `VGA_TAIL` bytes of a payload of version 34
 */
export function has3d(tail: Uint8Array): boolean | undefined {
  const text = Buffer.from(tail).toString('latin1');
  if (/\xff{8}\0{12}6Marker\n$/.test(text)) return false;
  return /\xff{8}\0{4}6Marker\n$/.test(text) ? true : undefined;
}
