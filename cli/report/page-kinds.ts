import type { ByteSink } from '../../formats/files/sink.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { majorityOf } from './charts.ts';

/** Looks of pages of RAM. */
export const PAGE_LOOKS = ['zero', 'sparse', 'text', 'data', 'dense'] as const;
export type PageLook = (typeof PAGE_LOOKS)[number];

export const LOOK_WORDS: Readonly<Record<PageLook, string>> = {
  zero: 'zeros',
  sparse: 'nearly empty',
  text: 'text',
  data: 'code and data',
  dense: 'compressed or encrypted',
};

/** Every fourth byte of a page is sampled, which is enough. */
const STRIDE = 4;
const SAMPLES = PAGE_SIZE / STRIDE;
/** Random bytes have about 251 different values among 1024, code about 150. */
const DENSE_VALUES = 232;

/** Classifies pages of RAM as they are written to it; keeps one byte for each page. */
export class PageLooks implements ByteSink {
  #looks = new Uint8Array(MIB);
  #count = 0;
  readonly #page = new Uint8Array(PAGE_SIZE);
  #filled = 0;
  readonly #times = new Uint16Array(256);

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === 0 && bytes.length - at >= PAGE_SIZE) {
        this.#add(bytes.subarray(at, at + PAGE_SIZE));
        at += PAGE_SIZE;
        continue;
      }
      const part = bytes.subarray(at, at + PAGE_SIZE - this.#filled);
      this.#page.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === PAGE_SIZE) {
        this.#add(this.#page);
        this.#filled = 0;
      }
    }
  }

  get pages(): number {
    return this.#count;
  }

  /** Counts of pages, in the order of PAGE_LOOKS. */
  get census(): number[] {
    const counts = PAGE_LOOKS.map(() => 0);
    for (let i = 0; i < this.#count; i++) counts[this.#looks[i]]++;
    return counts;
  }

  /** The commonest look in a stretch of pages; `zero` only if all pages are zeros. */
  lookOf(first: number, end: number): PageLook {
    return PAGE_LOOKS[majorityOf(this.#looks.subarray(first, Math.min(end, this.#count)), PAGE_LOOKS.length)];
  }

  #add(page: Uint8Array): void {
    if (this.#count === this.#looks.length) {
      const larger = new Uint8Array(this.#looks.length * 2);
      larger.set(this.#looks);
      this.#looks = larger;
    }
    this.#looks[this.#count++] = PAGE_LOOKS.indexOf(isZero(page) ? 'zero' : this.#look(page));
  }

  #look(page: Uint8Array): PageLook {
    const times = this.#times.fill(0);
    for (let i = 0; i < PAGE_SIZE; i += STRIDE) times[page[i]]++;
    const zeros = times[0];
    let [values, printable] = [0, times[9] + times[10] + times[13]];
    for (let value = 0; value < 256; value++) if (times[value] > 0) values++;
    for (let value = 0x20; value < 0x7f; value++) printable += times[value];
    if (zeros > SAMPLES * 0.85) return 'sparse';
    if (printable > (SAMPLES - zeros) * 0.85 && zeros < SAMPLES * 0.5) return 'text';
    return values >= DENSE_VALUES ? 'dense' : 'data';
  }
}
