import { ramLayout } from '../../formats/pgm/ranges.ts';
import { FOUR_GIB } from '../../formats/sizes.ts';
import { ramConfigOf } from '../saved-state/layout/memory-map.ts';
import type { SavedState } from '../saved-state/reading/state.ts';

/** A stretch of memory with its guest-physical address and its place in a block of QEMU. */
export interface ImageStretch {
  gcPhys: number;
  /** RAM, or one of the gaps, by number. */
  block: 'ram' | number;
  offset: number;
  size: number;
}

/** Plan that gives QEMU memory at the addresses of VirtualBox's machine. */
export interface RamPlan {
  /** Size of QEMU's RAM in bytes. */
  ramSize: number;
  /** End of QEMU's RAM from address 0 on, if QEMU has to be told. */
  lowEnd?: number;
  stretches: readonly ImageStretch[];
  /** Memory between QEMU's RAM and VirtualBox's hole below 4 GiB. */
  gaps: readonly Gap[];
}

/**
 * A piece of memory in QEMU's gaps that a PCI device maps: its size is a power of two, and its address a multiple of
 * the size.
 */
interface Gap {
  gcPhys: number;
  size: number;
}

/** A board of QEMU has no RAM from `end` to 4 GiB if it has at least `split` bytes. */
const LOW_RAM = {
  pc: { end: 0xc000_0000, split: 0xe000_0000 },
  q35: { end: 0x8000_0000, split: 0xb000_0000 },
} as const;

export function ramPlan({ pgm, units }: SavedState): RamPlan {
  const { end, split } = LOW_RAM[units.some(({ name }) => name === 'ich9pci') ? 'q35' : 'pc'];
  const { ramSize, ramHole } = pgm ? ramConfigOf(pgm) : { ramSize: 0, ramHole: 0 };
  const { lowEnd, highEnd } = ramLayout(ramSize, ramHole);
  const high = Math.max(0, highEnd - FOUR_GIB);
  if (high === 0 && ramSize < split)
    return { ramSize, stretches: [{ gcPhys: 0, block: 'ram', offset: 0, size: ramSize }], gaps: [] };
  const low = Math.min(lowEnd, end);
  const gaps = powersOfTwo(low, lowEnd);
  const stretches: ImageStretch[] = [
    { gcPhys: 0, block: 'ram', offset: 0, size: low },
    ...gaps.map((gap, block) => ({ ...gap, block, offset: 0 })),
  ];
  if (high > 0) stretches.push({ gcPhys: FOUR_GIB, block: 'ram', offset: low, size: high });
  return { ramSize: low + high, lowEnd: low, stretches, gaps };
}

/** Splits memory into gaps, the largest first. @param start a multiple of the largest */
function powersOfTwo(start: number, end: number): Gap[] {
  const gaps: Gap[] = [];
  for (let gcPhys = start; gcPhys < end; ) {
    const size = 2 ** Math.floor(Math.log2(end - gcPhys));
    gaps.push({ gcPhys, size });
    gcPhys += size;
  }
  return gaps;
}

/** Place of the devices that map gaps, where VirtualBox has none; each gap is a function of it. */
const GAP_PLACE = 0xf0;
export const MAX_GAPS = 8;

/** QEMU's name of a gap's memory, and the place of its device. */
export const gapMemory = (index: number): string => `gap${index}`;
export const gapPlace = (index: number): number => GAP_PLACE + index;
