import { SpanHashes } from '../hashing/span-hashes.ts';
import { FrameSet } from '../reading/frame-set.ts';
import type { PageGroup, PageNotes } from './page-survey.ts';

/** Pages of one pgm unit, by group. */
export type PassPages = ReadonlyMap<PageGroup, FrameSet>;

/** The first of two readings: what each page was. */
export class FirstReading implements PageNotes {
  readonly passes: Map<PageGroup, SpanHashes>[] = [];

  note(pass: number, group: PageGroup, page: number, hash: bigint): void {
    this.passes[pass] ??= new Map();
    const groups = this.passes[pass];
    let pages = groups.get(group);
    if (!pages) {
      pages = new SpanHashes();
      groups.set(group, pages);
    }
    pages.set(page, hash);
  }

  /** One bit for each page: whether it was there. */
  seen(): Map<PageGroup, FrameSet>[] {
    return this.passes.map((groups) => new Map([...groups].map(([group, pages]) => [group, framesOf(pages)])));
  }
}

/**
 * The second reading, which takes damaged blocks for other bytes than the first: pages that are the same in both are
 * certain, as no byte of them, nor of what leads to them, comes from a damaged block. They take a bit each.
 */
export class SecondReading implements PageNotes {
  /** By pass. */
  readonly certain: Map<PageGroup, FrameSet>[];
  readonly #first: FirstReading;

  constructor(first: FirstReading) {
    this.#first = first;
    this.certain = first.passes.map((groups) => new Map([...groups.keys()].map((group) => [group, new FrameSet()])));
  }

  note(pass: number, group: PageGroup, page: number, hash: bigint): void {
    const certain = this.certain[pass]?.get(group);
    if (this.#first.passes[pass]?.get(group)?.get(page) === hash) certain?.add(page);
    else certain?.remove(page);
  }
}

function framesOf(pages: SpanHashes): FrameSet {
  const frames = new FrameSet();
  for (const { page, hashes } of pages.runs()) for (let i = 0; i < hashes.length; i++) frames.add(page + i);
  return frames;
}
