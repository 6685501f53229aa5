import { xxh64 } from '../../../formats/kernels/xxh64.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/units.ts';
import { PageHashes } from '../page-hashes.ts';

/** Page records that are counted apart: RAM, and by range id what a ROM or MMIO2 range has. */
export type PageGroup = 'RAM' | `${'MMIO2' | 'ROM' | 'shadow' | 'protection'} ${number}`;

export function groupOf(kind: number, id: number): PageGroup {
  if (isRam(kind)) return 'RAM';
  if (isMmio2(kind)) return `MMIO2 ${id}`;
  if (kind === PageKind.ROM_VIRGIN) return `ROM ${id}`;
  return kind === PageKind.ROM_PROTECTION ? `protection ${id}` : `shadow ${id}`;
}

/** What the pages of one pgm unit were, in one reading: by group a number for kind and content. */
export type PassPages = Map<PageGroup, PageHashes>;

/** Takes the pages of all passes. */
export class PageSurvey {
  readonly passes: PassPages[] = [];
  readonly #page = new Uint8Array(PAGE_SIZE);

  readonly pages = (batch: PageBatch, pass: number): void => {
    if (batch.floating) return;
    this.passes[pass] ??= new Map();
    const groups = this.passes[pass];
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      const group = groupOf(kind, batch.id[i]);
      let pages = groups.get(group);
      if (!pages) {
        pages = new PageHashes();
        groups.set(group, pages);
      }
      batch.decode(i, this.#page, 0);
      // 0 stands for pages that were not there.
      pages.set(batch.page[i], xxh64(this.#page) ^ BigInt((kind << 8) | batch.protection[i]) || 1n);
    }
  };
}

/**
 * The pages that are the same in two readings which take damaged blocks for different bytes: no byte of them, nor of what leads to them, comes from a
 * damaged block.
 */
export function pagesInBoth(a: PassPages, b: PassPages): PassPages {
  const both: PassPages = new Map();
  for (const [group, pages] of a) {
    const same = new PageHashes();
    const others = b.get(group);
    for (const { page, hashes } of pages.runs()) {
      for (let i = 0; i < hashes.length; i++) if (others?.get(page + i) === hashes[i]) same.set(page + i, hashes[i]);
    }
    both.set(group, same);
  }
  return both;
}
