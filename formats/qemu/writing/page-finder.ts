import { hex, UnsupportedError } from '../../errors.ts';
import { isMmio2 } from '../../pgm/page-batch.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { rangesOf } from '../guest-layout.ts';
import type { RamBlock, RamBlocks } from '../ram-blocks.ts';

/** Finds block and offset of the pages of a batch; without an object for each. */
export class PageFinder {
  /** Block of the page found last. */
  block!: RamBlock;
  offset = 0;
  readonly #blocks: RamBlocks;
  /** The range of addresses with the last page of RAM, and the address at which its block would begin. */
  #from = 0;
  #to = 0;
  #blockStart = 0;
  #ram: RamBlock | undefined;

  constructor(blocks: RamBlocks) {
    this.#blocks = blocks;
  }

  /** Finds a page of RAM by its guest-physical page frame. @throws UnsupportedError `does-not-fit` */
  findFrame(frame: number): void {
    const address = frame * PAGE_SIZE;
    if (!this.#ram || address < this.#from || address >= this.#to) this.#findStretch(address);
    this.block = this.#ram as RamBlock;
    this.offset = address - this.#blockStart;
  }

  /** Finds a page of another block by kind, block number and page number. @throws UnsupportedError `does-not-fit` */
  findPage(kind: number, id: number, page: number): void {
    const block = this.#blocks.all[id];
    const offset = page * PAGE_SIZE;
    if (!isMmio2(kind) || !block || block.isRam || offset >= block.size)
      throw noBlock(`page ${page} of range ${id} of kind ${kind}`);
    this.block = block;
    this.offset = offset;
  }

  #findStretch(address: number): void {
    const block = this.#blocks.all[this.#blocks.ramBlockAt(address / PAGE_SIZE)];
    if (!block) throw noBlock(`the page at ${hex(address)}`);
    const range = rangesOf(block, this.#blocks.layout).find(({ start, end }) => address >= start && address < end);
    if (!range) throw noBlock(`the page at ${hex(address)}`);
    this.#ram = block;
    this.#from = range.start;
    this.#to = range.end;
    this.#blockStart = range.start - range.offset;
  }
}

function noBlock(what: string): UnsupportedError {
  return new UnsupportedError('does-not-fit', `Cannot write memory: ${what} lies in no block of the stream`);
}
