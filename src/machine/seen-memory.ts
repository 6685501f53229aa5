import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { PageReader } from '../paging/page-reader.ts';
import type { StateView } from '../saved-state/reading/state-view.ts';

/** Pages in the cache: 16 MiB. Page tables are read again and again. */
const MAX_PAGES = 4096;

/** The memory of a state as the guest sees it, page by page. */
export abstract class SeenMemory extends PageReader {
  readonly #regions: NonNullable<StateView['memory']>['regions'];
  readonly #nothing: Uint8Array;
  /** Cached pages by frame. */
  readonly #pages = new Map<number, Uint8Array>();

  /** @param nothing value of each byte where there is no memory */
  constructor({ memory }: StateView, nothing: number) {
    super();
    this.#regions = memory?.regions ?? [];
    this.#nothing = new Uint8Array(PAGE_SIZE).fill(nothing);
  }

  /** Closes files; nothing may be read afterwards. */
  abstract close(): void;

  /** The 4096 bytes of a page of memory, which the caller keeps. */
  protected abstract load(frame: number): Uint8Array;

  holdsTables(gcPhys: GuestPhys): boolean {
    return this.isMemory(gcPhys);
  }

  isMemory(gcPhys: GuestPhys): boolean {
    return this.#regions.some(({ kind, start, end }) => kind !== 'mmio' && gcPhys >= start && gcPhys < end);
  }

  /** Whether memory or registers of a device are at an address. */
  isAssigned(gcPhys: GuestPhys): boolean {
    return this.#regions.some(({ start, end }) => gcPhys >= start && gcPhys < end);
  }

  protected pageOf(frame: number): Uint8Array {
    const known = this.#pages.get(frame);
    if (known) return known;
    if (!this.isMemory(frame * PAGE_SIZE)) return this.#nothing;
    const page = this.load(frame);
    if (this.#pages.size >= MAX_PAGES) this.#pages.clear();
    this.#pages.set(frame, page);
    return page;
  }
}
