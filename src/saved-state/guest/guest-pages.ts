import { UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isRam, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { AddressSpaceMemory } from '../../paging/address-space.ts';
import { readState } from '../families/read-state.ts';
import type { MemoryRegion } from '../reading/memory-region.ts';

/** Pages that are kept: 64 MiB. The page tables of a kernel take less. */
const MAX_PAGES = 16384;
/**
 * Work asks for more after each reading: one level of page tables, one text that an address leads to. More rounds are
 * not believed.
 */
const MAX_ROUNDS = 8;
const ZEROS = new Uint8Array(PAGE_SIZE);

/**
 * Some pages of a state's RAM, read from the file when they are asked for. A state can be read from front to back only,
 * so work that reads pages is done again and again, each time with the pages that it missed before, until it misses
 * none.
 */
export class GuestPages implements AddressSpaceMemory {
  readonly #source: ByteSource;
  readonly #ram: readonly MemoryRegion[];
  readonly #signal: AbortSignal | undefined;
  /** By frame; those that no record names are zeros. */
  readonly #pages = new Map<number, Uint8Array>();
  readonly #missed = new Set<number>();

  constructor(source: ByteSource, regions: readonly MemoryRegion[], signal?: AbortSignal) {
    this.#source = source;
    this.#ram = regions.filter(({ kind }) => kind === 'ram');
    this.#signal = signal;
  }

  /** @returns what the work gives with all pages that it reads; undefined where it wants too many */
  async settle<T>(work: () => T): Promise<T | undefined> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      this.#missed.clear();
      const result = work();
      if (this.#missed.size === 0) return result;
      if (this.#pages.size + this.#missed.size > MAX_PAGES) return undefined;
      await this.#fetch();
    }
    return undefined;
  }

  /** True for RAM. */
  holdsTables(gcPhys: GuestPhys): boolean {
    return this.#ram.some(({ start, end }) => gcPhys >= start && gcPhys < end);
  }

  /** Zeros where there is no RAM. */
  read(gcPhys: GuestPhys, target: Uint8Array): void {
    for (let done = 0; done < target.length; ) {
      const from = (gcPhys + done) % PAGE_SIZE;
      const part = this.#page(gcPhys + done - from).subarray(from, from + target.length - done);
      target.set(part, done);
      done += part.length;
    }
  }

  readU32(gcPhys: GuestPhys): number {
    const bytes = new Uint8Array(4);
    this.read(gcPhys, bytes);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  /** @throws UsageError `read-only` always */
  write(): never {
    throw new UsageError('read-only', 'Cannot write guest memory: it is read from a file');
  }

  writeU32(): never {
    return this.write();
  }

  #page(gcPhys: GuestPhys): Uint8Array {
    if (!this.holdsTables(gcPhys)) return ZEROS;
    const frame = gcPhys / PAGE_SIZE;
    const page = this.#pages.get(frame);
    if (!page && this.#missed.size <= MAX_PAGES) this.#missed.add(frame);
    return page ?? ZEROS;
  }

  /** Reads what was missed. In a live save the last record of a page counts. */
  async #fetch(): Promise<void> {
    const wanted = new Map([...this.#missed].map((frame) => [frame, new Uint8Array(PAGE_SIZE)]));
    const take = (batch: PageBatch) => {
      for (let i = 0; i < batch.count; i++) {
        const page = isRam(batch.kind[i]) ? wanted.get(batch.page[i]) : undefined;
        if (page) batch.decode(i, page, 0);
      }
    };
    await readState(this.#source, { skipCrc: true, sink: { take }, ...(this.#signal ? { signal: this.#signal } : {}) });
    for (const [frame, page] of wanted) this.#pages.set(frame, page);
  }
}
