import type { RamBlock } from '../ram-blocks.ts';

/** A page that can be put anywhere: `PageBatch` is one, of which `i` chooses the record. */
export interface WritablePage {
  /** Writes the page to `target[to, to + 4096)`. */
  decode(i: number, target: Uint8Array, to: number): void;
}

/** Where the pages of a written stream go. */
export interface PageWriter {
  /**
   * Takes a page; of the same page the last one counts.
   * @param offset of the page in its block @param content absent for a page of zeros
   * @returns what has to be waited for before the next page
   */
  put(block: RamBlock, offset: number, content: WritablePage | undefined, i: number): Promise<void> | undefined;
  /** Writes what is still here. */
  finish(): Promise<void>;
}
