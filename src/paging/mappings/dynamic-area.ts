import { UsageError } from '../../../formats/errors.ts';
import { PAGE_SIZE, TWO_32 } from '../../../formats/sizes.ts';
import { A, D, P } from '../schemes.ts';

/** Called when a page of an area shows another host page, or nothing. */
export type ShowPage = (page: number, host: number | undefined) => void;

/** Pages of the area, and pages in its cache. */
const AREA_PAGES = 16;
const CACHE_ENTRIES = 8;
/** Pages for the guest's own root, and an empty one after them. */
const CR3_PAGES = 5;

/**
 * The dynamic mapping area of raw mode: few addresses at which any host page can be mapped. A cache of eight entries is
 * used in turn, except locked ones (paging.md 5.2). The area's table of 16 PAE entries can be walked.
 */
export class DynamicMappingArea {
  /** Address of the area. */
  base: number;
  /** Low and high halves of the entries. */
  readonly entries = new Uint32Array(AREA_PAGES * 2);
  readonly #dummy: number;
  readonly #pages = new Float64Array(CACHE_ENTRIES).fill(-1);
  readonly #locks = new Uint8Array(CACHE_ENTRIES);
  readonly #onShow: ShowPage | undefined;
  #next = 0;
  /** Pages that were mapped already. */
  hits = 0;
  /** Pages that had to be mapped. */
  misses = 0;

  /** @param base page-aligned address of the area @param dummy page shown where nothing is mapped yet */
  constructor(base: number, dummy?: number, onShow?: ShowPage) {
    this.base = base;
    this.#onShow = onShow;
    this.#dummy = dummy ?? -1;
    if (dummy !== undefined) for (let entry = 0; entry < AREA_PAGES; entry++) this.#show(entry, dummy);
  }

  /** Bytes of the area. */
  static readonly SIZE = AREA_PAGES * PAGE_SIZE;

  /**
   * Maps a host page and gives its address. The page stays mapped until eight others have been mapped. @throws
   * UsageError `all-locked`
   */
  map(host: number): number {
    const page = host - (host % PAGE_SIZE);
    const known = this.#pages.indexOf(page);
    if (known >= 0) {
      this.hits++;
      return this.#addressOf(known) + (host % PAGE_SIZE);
    }
    this.misses++;
    const entry = this.#take();
    this.#pages[entry] = page;
    this.#show(entry, page);
    return this.#addressOf(entry) + (host % PAGE_SIZE);
  }

  /** Keeps the mapping at an address. */
  lock(address: number): void {
    this.#locks[this.#entryAt(address)]++;
  }

  /** Ends one `lock`. */
  unlock(address: number): void {
    const entry = this.#entryAt(address);
    if (this.#locks[entry] > 0) this.#locks[entry]--;
  }

  /** Contradictions between entries and cache, and pages shown twice; empty if there are none. */
  check(): string[] {
    const faults: string[] = [];
    for (let entry = 0; entry < AREA_PAGES; entry++) {
      const isPresent = (this.entries[entry * 2] & P) !== 0;
      const seen = this.entries[entry * 2 + 1] * TWO_32 + ((this.entries[entry * 2] & 0xfffff000) >>> 0);
      const known = entry < CACHE_ENTRIES ? this.#pages[entry] : -1;
      const expected = known >= 0 ? known : this.#dummy;
      if (isPresent ? seen !== expected : expected >= 0)
        faults.push(`entry ${entry} shows another page than the cache says`);
      if (known >= 0 && this.#pages.indexOf(known) !== entry)
        faults.push(`entry ${entry} shows a page that another entry shows`);
    }
    return faults;
  }

  #show(entry: number, page: number): void {
    this.#onShow?.(entry, page);
    this.entries[entry * 2] = ((page >>> 0) | P | A | D) >>> 0;
    this.entries[entry * 2 + 1] = Math.floor(page / TWO_32);
  }

  #take(): number {
    for (let tried = 0; tried < CACHE_ENTRIES; tried++) {
      const entry = this.#next;
      this.#next = (this.#next + 1) % CACHE_ENTRIES;
      if (this.#locks[entry] === 0) return entry;
    }
    throw new UsageError('all-locked', 'Cannot map a host page: all entries of the dynamic mapping area are locked');
  }

  #entryAt(address: number): number {
    const entry = Math.floor((address - this.base) / PAGE_SIZE);
    if (entry < 0 || entry >= CACHE_ENTRIES)
      throw new UsageError('not-mapped', 'Cannot lock a mapping: the address is not in the dynamic mapping area');
    return entry;
  }

  #addressOf(entry: number): number {
    return this.base + entry * PAGE_SIZE;
  }
}

/** The area for the guest's root tables, followed by a fence that is never mapped. */
export class Cr3MappingArea {
  /** Address of the area. */
  base: number;
  readonly #dummy: number | undefined;
  readonly #hosts: (number | undefined)[];
  readonly #onShow: ShowPage | undefined;

  /** @param base page-aligned address of the area @param dummy page shown where nothing is mapped yet */
  constructor(base: number, dummy?: number, onShow?: ShowPage) {
    this.base = base;
    this.#dummy = dummy;
    this.#onShow = onShow;
    this.#hosts = new Array(CR3_PAGES).fill(dummy);
    this.#tell();
  }

  /** Bytes of the area; a fence follows it. */
  static readonly SIZE = CR3_PAGES * PAGE_SIZE;

  /** Maps the root's page, and the present ones of legacy PAE's four directories; unmaps the rest. */
  map(root: number, directories: readonly (number | undefined)[] = []): void {
    for (let i = 0; i < CR3_PAGES; i++) this.#hosts[i] = (i === 0 ? root : directories[i - 1]) ?? this.#dummy;
    this.#tell();
  }

  /** Empties the area. */
  unmap(): void {
    this.#hosts.fill(this.#dummy);
    this.#tell();
  }

  #tell(): void {
    for (const [page, host] of this.#hosts.entries()) this.#onShow?.(page, host);
  }

  /** Host address at an address of the area; undefined if nothing is mapped, and in the fence. */
  hostAt(address: number): number | undefined {
    const host = this.#hosts[Math.floor((address - this.base) / PAGE_SIZE)];
    return host === undefined ? undefined : host + (address % PAGE_SIZE);
  }
}
