import { FormatError, hex, UsageError } from '../../formats/errors.ts';
import { FOUR_GIB, type GuestPhys, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageType } from '../pgm/pages/page-states.ts';

/** The RAM that a workload may use: one stretch below 4 GiB and one above, as places 0, 1, 2 …, a page each. */
export interface WorkloadArea {
  lowStart: GuestPhys;
  lowPages: number;
  highPages: number;
}

/** Below this address, PCs keep data of their firmware. */
const FIRST_USED = MIB;

export function addressInArea({ lowStart, lowPages }: WorkloadArea, place: number): GuestPhys {
  return place < lowPages ? lowStart + place * PAGE_SIZE : FOUR_GIB + (place - lowPages) * PAGE_SIZE;
}

/**
 * Address of the control block: the last page of RAM below 4 GiB, which every reader of the memory finds without being
 * told.
 */
export function controlAddress(memory: GuestMemory): GuestPhys {
  let found: GuestPhys | undefined;
  for (const range of memory.ranges) {
    if (range.kind !== 'ram' || range.start >= FOUR_GIB) continue;
    for (let page = range.pages - 1; page >= 0; page--) {
      if (range.type[page] !== PageType.RAM) continue;
      found = range.addressOf(page);
      break;
    }
  }
  if (found === undefined || found <= FIRST_USED)
    throw new UsageError('no-ram', 'Cannot run a workload: the machine has no RAM above 1 MiB');
  return found;
}

/** All RAM from 1 MiB up to the control block, and from 4 GiB on, but no more than `limit` bytes. */
export function wholeArea(memory: GuestMemory, limit = Number.POSITIVE_INFINITY): WorkloadArea {
  const end = controlAddress(memory);
  const pages = Math.floor(limit / PAGE_SIZE);
  const lowPages = Math.min(pages, ramPagesFrom(memory, FIRST_USED, (end - FIRST_USED) / PAGE_SIZE));
  return {
    lowStart: FIRST_USED,
    lowPages,
    highPages: Math.min(pages - lowPages, ramPagesFrom(memory, FOUR_GIB, Number.POSITIVE_INFINITY)),
  };
}

/** @throws FormatError `bad-workload` where an area, read from guest memory, is not RAM */
export function checkArea(memory: GuestMemory, { lowStart, lowPages, highPages }: WorkloadArea): void {
  if (lowStart % PAGE_SIZE !== 0 || lowStart >= FOUR_GIB) throw badArea(lowStart);
  if (ramPagesFrom(memory, lowStart, lowPages) < lowPages) throw badArea(lowStart);
  if (ramPagesFrom(memory, FOUR_GIB, highPages) < highPages) throw badArea(FOUR_GIB);
}

/** Number of RAM pages without a gap from an address on, up to `limit`. */
function ramPagesFrom(memory: GuestMemory, start: GuestPhys, limit: number): number {
  let count = 0;
  while (count < limit) {
    const range = memory.ranges.find(start + count * PAGE_SIZE);
    if (range?.kind !== 'ram') break;
    for (let page = range.pageOf(start + count * PAGE_SIZE); page < range.pages && count < limit; page++, count++) {
      if (range.type[page] !== PageType.RAM) return count;
    }
  }
  return count;
}

function badArea(start: GuestPhys): FormatError {
  return new FormatError(
    'bad-workload',
    `Cannot continue workload: its memory at ${hex(start)} is not RAM of this machine`,
    { gcPhys: start },
  );
}
