import { isRam, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { BlockSummary } from '../qemu/qemu-state.ts';
import { FrameSet } from '../reading/frame-set.ts';

/** Pages of one block that are missing: numbers within the block, `[first, last]`, and addresses `[start, end)`. */
export interface LostPages {
  /** Name of the block. */
  block: string;
  /** Number of the first page that is missing. */
  first: number;
  /** Inclusive. */
  last: number;
  /** Guest-physical where that is known, else the offset in the block. */
  start: number;
  /** Exclusive; of the same kind. */
  end: number;
}

/** Takes pages, and remembers which of each block were there. */
export class PageSets implements PageSink {
  readonly #ram = new FrameSet();
  readonly #others = new Map<number, FrameSet>();

  take(batch: PageBatch): void {
    for (let i = 0; i < batch.count; i++) {
      if (isRam(batch.kind[i])) this.#ram.add(batch.page[i]);
      else this.#setOf(batch.id[i]).add(batch.page[i]);
    }
  }

  /** Takes back a page of which the newest copy is lost. */
  drop({ isRam: ofRam, id }: { isRam: boolean; id: number }, page: number): void {
    (ofRam ? this.#ram : this.#setOf(id)).remove(page);
  }

  /** Whether the page of an entry of a batch is there. */
  has(batch: PageBatch, i: number): boolean {
    return (isRam(batch.kind[i]) ? this.#ram : this.#setOf(batch.id[i])).has(batch.page[i]);
  }

  /** Missing pages of a block, in ascending order. */
  *lost(block: BlockSummary): Generator<LostPages> {
    const set = block.isRam ? this.#ram : this.#setOf(block.id);
    const whole = { start: 0, end: block.size, offset: 0 };
    for (const { start, end, offset } of block.ranges.length > 0 ? block.ranges : [whole]) {
      const base = block.isRam ? start / PAGE_SIZE : offset / PAGE_SIZE;
      const count = (end - start) / PAGE_SIZE;
      for (let page = 0; page < count; ) {
        const next = set.next(base + page, base + count) - base;
        if (next > page) {
          const first = offset / PAGE_SIZE + page;
          yield {
            block: block.name,
            first,
            last: first + next - page - 1,
            start: start + page * PAGE_SIZE,
            end: start + next * PAGE_SIZE,
          };
        }
        page = next + 1;
      }
    }
  }

  #setOf(id: number): FrameSet {
    const set = this.#others.get(id) ?? new FrameSet();
    this.#others.set(id, set);
    return set;
  }
}
