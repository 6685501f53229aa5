import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { NOWHERE, type Placement, slotOf } from '../layout/placement.ts';
import { FrameSet } from '../reading/frame-set.ts';

const FIRST_CAPACITY = 4096;

/**
 * Checks the pages of a state, and notes the places of their contents in the file: 21 bytes for each page with content.
 */
export class PagePlaces implements PageSink {
  count = 0;
  /** Some page is not contiguous in the file, or compressed together with others. */
  areIncomplete = false;
  /** Offset in the image. */
  target = new Float64Array(FIRST_CAPACITY);
  /** Offset in the file. */
  at = new Float64Array(FIRST_CAPACITY);
  length = new Uint32Array(FIRST_CAPACITY);
  encoding = new Uint8Array(FIRST_CAPACITY);
  readonly #source: ByteSource;
  readonly #placement: Placement;
  readonly #named = new FrameSet();
  #isAscending = true;

  constructor(source: ByteSource, placement: Placement) {
    this.#source = source;
    this.#placement = placement;
  }

  take(batch: PageBatch): void {
    batch.walk();
    for (let i = 0; i < batch.count; i++) {
      const target = this.#placement.offsetOf(batch, i);
      if (target === NOWHERE) continue;
      const encoding = batch.encoding[i];
      const isZero = encoding === Encoding.NONE || encoding === Encoding.ZERO;
      // Zeros count only for a page that a later pass of a live save clears.
      if (isZero && !this.#named.has(slotOf(target))) continue;
      this.#named.add(slotOf(target));
      this.#add(batch, i, target, isZero ? Encoding.ZERO : encoding);
    }
  }

  /** Indices of entries by offset in the image; only the last entry of each page. */
  *inOrder(): Generator<number> {
    const { count, target } = this;
    const order = this.#isAscending
      ? undefined
      : Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => target[a] - target[b] || a - b);
    for (let k = 0; k < count; k++) {
      const i = order ? order[k] : k;
      if (order && k + 1 < count && target[order[k + 1]] === target[i]) continue;
      yield i;
    }
  }

  #add(batch: PageBatch, i: number, target: number, encoding: number): void {
    const { window } = batch;
    const isZero = encoding === Encoding.ZERO;
    if (!isZero && (window.source !== this.#source || batch.at[i] >= window.spillStart)) this.areIncomplete = true;
    if (this.areIncomplete) return;
    if (this.count === this.target.length) this.#grow();
    const n = this.count++;
    if (n > 0 && target <= this.target[n - 1]) this.#isAscending = false;
    this.target[n] = target;
    this.at[n] = isZero ? 0 : window.offsetOf(batch.at[i]);
    this.length[n] = batch.length[i];
    this.encoding[n] = encoding;
  }

  #grow(): void {
    const capacity = 2 * this.target.length;
    this.target = grown(this.target, new Float64Array(capacity));
    this.at = grown(this.at, new Float64Array(capacity));
    this.length = grown(this.length, new Uint32Array(capacity));
    this.encoding = grown(this.encoding, new Uint8Array(capacity));
  }
}

function grown<T extends Float64Array | Uint32Array | Uint8Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
