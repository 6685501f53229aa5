import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';

const SECTION = 'virtio-mem';
/** Section in which QEMU 10 tells a device's memory before the pages of RAM. */
const EARLY_SECTION = 'virtio-mem-device-early';
/** Fields within the section: address, bytes of the block, bytes of a unit, node; usable and plugged bytes. */
const Field = { ADDRESS: 0, SIZE: 8, UNIT: 16, PLUGGED: 36, END: 52 };
/** Place of the plugged bytes in the early section, which has no usable bytes before them. */
const EARLY_PLUGGED = 28;

/** Memory of a virtio-mem device, which gives it to the guest unit by unit. */
export interface PluggedMemory {
  /** Guest-physical address of the block. */
  gcPhys: number;
  /** Pages that the guest has; states hold no others of the block. */
  pages: number;
}

type Section = Pick<DeviceSection, 'name' | 'body'>;
/** Sections of devices, and the sections in parts before them. */
export interface SectionsOfDevices {
  devices: readonly Section[];
  otherSections: readonly Section[];
}

/**
 * Facts about a block from the device that holds it; undefined for blocks of other devices. Source: qemu-stream.md 3.
 */
export function pluggedMemory(
  { name, size }: { name: string; size: number },
  { devices, otherSections }: SectionsOfDevices,
): PluggedMemory | undefined {
  const place = name.slice(0, name.lastIndexOf('/') + 1);
  if (place === '') return undefined;
  const early = otherSections.find((each) => each.name === place + EARLY_SECTION);
  const section = early ?? devices.find((each) => each.name === place + SECTION);
  if (!section) return undefined;
  const body = Buffer.from(section.body.buffer, section.body.byteOffset, section.body.byteLength);
  const wanted = Buffer.alloc(8);
  wanted.writeBigUInt64BE(BigInt(size));
  // The fields of every virtio device may precede these fields; their number differs.
  for (let at = body.indexOf(wanted); at >= 0; at = body.indexOf(wanted, at + 1)) {
    const start = at - Field.SIZE;
    if (start < 0 || start + (early ? EARLY_PLUGGED + 8 : Field.END) > body.length) continue;
    const read = (field: number) => body.readBigUInt64BE(start + field);
    const [address, unit] = [read(Field.ADDRESS), read(Field.UNIT)];
    const plugged = read(early ? EARLY_PLUGGED : Field.PLUGGED);
    const isUnit = unit >= PAGE_SIZE && (unit & (unit - 1n)) === 0n;
    if (isUnit && address % unit === 0n && plugged <= size && plugged % unit === 0n && address < 2n ** 52n)
      return { gcPhys: Number(address), pages: Number(plugged) / PAGE_SIZE };
  }
  return undefined;
}

/** Pages of a block that a whole state has. */
export function expectedPages(
  block: { name: string; size: number; totalPages: number },
  sections: SectionsOfDevices,
): number {
  return pluggedMemory(block, sections)?.pages ?? block.totalPages;
}
