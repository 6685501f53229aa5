import type { ByteSource } from '../../../formats/files/source.ts';
import { isRam, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { PageReader } from '../../paging/page-reader.ts';
import { readState } from '../families/read-state.ts';
import type { MemoryRegion } from '../reading/memory-region.ts';

/** Pages that are kept: 64 MiB. The page tables of a kernel take less. */
const MAX_PAGES = 16384;
/**
 * Each round finds out which pages the next one needs: a level of page tables, or a text at an address. Real kernels
 * need fewer rounds.
 */
const MAX_ROUNDS = 8;
const ZEROS = new Uint8Array(PAGE_SIZE);

/**
 * Some pages of a state's RAM, read from the file on demand. A state can be read from front to back only, so a
 * computation is repeated with the pages that it missed before, until it misses none.
 */
export class RereadPages extends PageReader {
  readonly #source: ByteSource;
  readonly #ram: readonly MemoryRegion[];
  readonly #signal: AbortSignal | undefined;
  /** By frame; pages without a record are zeros. */
  readonly #pages = new Map<number, Uint8Array>();
  readonly #missed = new Set<number>();

  constructor(source: ByteSource, regions: readonly MemoryRegion[], signal?: AbortSignal) {
    super();
    this.#source = source;
    this.#ram = regions.filter(({ kind }) => kind === 'ram');
    this.#signal = signal;
  }

  /** @returns the result of `work` with all pages that it reads; undefined if it reads too many */
  async settle<T>(work: () => T | Promise<T>): Promise<T | undefined> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      this.#missed.clear();
      const result = await work();
      if (this.#missed.size === 0) return result;
      if (this.#pages.size + this.#missed.size > MAX_PAGES) return undefined;
      await this.#fetch();
    }
    return undefined;
  }

  /** Whether page tables may lie at an address: only in RAM. */
  holdsTables(gcPhys: GuestPhys): boolean {
    return this.#ram.some(({ start, end }) => gcPhys >= start && gcPhys < end);
  }

  protected pageOf(frame: number): Uint8Array {
    if (!this.holdsTables(frame * PAGE_SIZE)) return ZEROS;
    const page = this.#pages.get(frame);
    if (!page && this.#missed.size <= MAX_PAGES) this.#missed.add(frame);
    return page ?? ZEROS;
  }

  /** Reads the pages that were missed. In a live save the last record of a page counts. */
  async #fetch(): Promise<void> {
    const wanted = new Map([...this.#missed].map((frame) => [frame, new Uint8Array(PAGE_SIZE)]));
    const take = (batch: PageBatch) => {
      for (let i = 0; i < batch.count; i++) {
        const page = isRam(batch.kind[i]) ? wanted.get(batch.page[i]) : undefined;
        if (page) batch.decode(i, page, 0);
      }
    };
    await readState(this.#source, { skipCrc: true, sink: { take }, signal: this.#signal });
    for (const [frame, page] of wanted) this.#pages.set(frame, page);
  }
}
