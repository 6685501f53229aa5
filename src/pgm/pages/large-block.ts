import { CHUNK_SIZE, PAGES_PER_CHUNK } from '../../gmm/page-id.ts';
import { PdeType } from './page-states.ts';
import type { RamRange } from './ram-range.ts';

/** The first page of the 2 MiB-aligned block around a page; undefined if the block is not wholly within the range. */
export function largeBlockOf(range: RamRange, page: number): number | undefined {
  const address = range.addressOf(page);
  const base = range.pageOf(address - (address % CHUNK_SIZE));
  return base >= 0 && base + PAGES_PER_CHUNK <= range.pages ? base : undefined;
}

/** Lets a page of a large page be mapped on its own: the block gets a page table until it is checked again. */
export function suspendLargePage(range: RamRange, page: number): void {
  const base = largeBlockOf(range, page);
  if (base !== undefined && range.pdeType(base) === PdeType.LARGE) range.setPdeType(base, PdeType.LARGE_DISABLED);
}
