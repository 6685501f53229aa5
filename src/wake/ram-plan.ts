import { ramLayout } from '../../formats/pgm/ranges.ts';
import { FOUR_GIB } from '../../formats/sizes.ts';
import { ramConfigOf } from '../saved-state/layout/memory-map.ts';
import type { SavedState } from '../saved-state/reading/state.ts';

/** A stretch of memory: where the guest finds it, and where it stands in a block of QEMU's. */
export interface ImageStretch {
  gcPhys: number;
  /** RAM, or the part of it that QEMU's PC has no room for. */
  block: 'ram' | 'gap';
  offset: number;
  size: number;
}

/** How QEMU gets memory where VirtualBox's machine has it. */
export interface RamPlan {
  /** Bytes of QEMU's RAM. */
  ramSize: number;
  /** Where QEMU's RAM from address 0 on ends, if QEMU has to be told. */
  lowEnd?: number;
  stretches: readonly ImageStretch[];
  /** Memory between QEMU's RAM and VirtualBox's hole below 4 GiB; its size has to be a power of two. */
  gap?: { gcPhys: number; size: number };
}

/** QEMU's PC has no RAM from here to 4 GiB, if it has `SPLIT_SIZE` or more, or RAM above 4 GiB. */
const MOST_LOW_RAM = 0xc000_0000;
const SPLIT_SIZE = 0xe000_0000;

export function ramPlan({ pgm }: SavedState): RamPlan {
  const { ramSize, ramHole } = pgm ? ramConfigOf(pgm) : { ramSize: 0, ramHole: 0 };
  const { lowEnd, highEnd } = ramLayout(ramSize, ramHole);
  const high = Math.max(0, highEnd - FOUR_GIB);
  if (high === 0 && ramSize < SPLIT_SIZE)
    return { ramSize, stretches: [{ gcPhys: 0, block: 'ram', offset: 0, size: ramSize }] };
  const low = Math.min(lowEnd, MOST_LOW_RAM);
  const stretches: ImageStretch[] = [{ gcPhys: 0, block: 'ram', offset: 0, size: low }];
  const gap = { gcPhys: low, size: lowEnd - low };
  if (gap.size > 0) stretches.push({ ...gap, block: 'gap', offset: 0 });
  if (high > 0) stretches.push({ gcPhys: FOUR_GIB, block: 'ram', offset: low, size: high });
  return { ramSize: low + high, lowEnd: low, stretches, ...(gap.size > 0 ? { gap } : {}) };
}

/** QEMU's name of the gap's memory, and the place of the device that shows it: none of VirtualBox's is there. */
export const GAP_MEMORY = 'gap';
export const GAP_PLACE = 0xf0;
