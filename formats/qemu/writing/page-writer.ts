import type { RamBlock } from '../ram-blocks.ts';

/** A page that can be copied to any place: record `i` of a `PageBatch`, for example. */
export interface WritablePage {
  /** Writes the page to `target[to, to + 4096)`. */
  decode(i: number, target: Uint8Array, to: number): void;
}

/** Takes the pages of a stream that is written. */
export interface PageWriter {
  /**
   * Takes a page; of several copies the last one counts.
   * @param offset of the page in its block @param content absent for a page of zeros
   * @returns a promise to wait for before the next page
   */
  put(block: RamBlock, offset: number, content: WritablePage | undefined, i: number): Promise<void> | undefined;
  /** Writes all buffered data. */
  finish(): Promise<void>;
}
