import { FormatError, hex, UsageError } from '../../errors.ts';
import type { ReadableParts } from '../../files/readable-parts.ts';
import { readFrom } from '../../files/source.ts';
import type { Window } from '../../files/window.ts';
import type { PageBatch } from '../../pgm/page-batch.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { Encoding } from '../../ssm/segments.ts';
import { bitmapBytes, type MappedPages } from '../mapped-header.ts';
import { addPage, type RamBlock, type RamBlocks } from '../ram-blocks.ts';

/** A piece of the bitmap that is read at a time; it covers 2 GiB of the block. */
const BITMAP_PIECE = 64 * 1024;

/**
 * The pages of one block of a mapped-ram file: a bitmap tells which pages lie in the file, at places of their own; all
 * others are zeros. Source: qemu-stream.md 5.
 */
export class MappedRam {
  readonly #window: Window;
  readonly #blocks: RamBlocks;
  readonly #block: RamBlock;
  readonly #mapped: MappedPages;
  /** The part of the bitmap from `#bitmapFrom` on. */
  #bitmap = new Uint8Array(0);
  #bitmapFrom = 0;
  #page = 0;
  readonly #parts: ReadableParts | undefined;

  /**
   * @param parts tells which bytes are made up: pages with such bytes are left out
   * @throws UsageError for a source that can only be read front to back
   */
  constructor(
    window: Window,
    blocks: RamBlocks,
    { block, mapped }: { block: RamBlock; mapped: MappedPages },
    parts?: ReadableParts,
  ) {
    if (!window.source.seekable) {
      throw new UsageError(
        'not-seekable',
        `Cannot read mapped RAM of ${window.source.name}: its pages have places in a file, so it must be a file`,
      );
    }
    this.#window = window;
    this.#blocks = blocks;
    this.#block = block;
    this.#mapped = mapped;
    this.#parts = parts;
  }

  /** Adds pages to `batch`, in ascending order; true when the block is complete and the window has passed it. */
  async scan(batch: PageBatch, leavesContents: boolean): Promise<boolean> {
    const pages = this.#block.size / PAGE_SIZE;
    const { pagesOffset } = this.#mapped;
    const window = this.#window;
    for (; this.#page < pages && !batch.isFull; this.#page++) {
      const offset = this.#page * PAGE_SIZE;
      const isSet = await this.#isSet(this.#page);
      const bit = this.#mapped.bitmapOffset + (this.#page >>> 3);
      if (this.#parts?.badIn(bit, bit + 1)) continue;
      if (!isSet) {
        addPage(batch, this.#blocks, this.#block, offset, true);
        continue;
      }
      if (leavesContents) {
        addPage(batch, this.#blocks, this.#block, offset, false);
        continue;
      }
      if (!window.holds(pagesOffset + offset, PAGE_SIZE)) {
        // A refill moves the bytes that the batch refers to.
        if (batch.count > 0) return false;
        await window.seek(pagesOffset + offset);
        await this.#need();
      }
      if (this.#parts?.badIn(pagesOffset + offset, pagesOffset + offset + PAGE_SIZE)) continue;
      addPage(batch, this.#blocks, this.#block, offset, false);
      batch.setContent(Encoding.RAW, window.indexOf(pagesOffset + offset), PAGE_SIZE);
    }
    if (this.#page < pages) return false;
    if (batch.count === 0) await window.seek(pagesOffset + this.#block.size);
    return batch.count === 0;
  }

  async #need(): Promise<void> {
    const { offset } = this.#window;
    await this.#window
      .need(PAGE_SIZE, `page ${hex(this.#page * PAGE_SIZE)} of block ${JSON.stringify(this.#block.name)}`)
      .catch((error: unknown) => {
        throw error instanceof FormatError ? error.at({ offset }) : error;
      });
  }

  async #isSet(page: number): Promise<boolean> {
    const byte = page >>> 3;
    if (byte - this.#bitmapFrom >= this.#bitmap.length || byte < this.#bitmapFrom) await this.#readBitmap(byte);
    return (this.#bitmap[byte - this.#bitmapFrom] & (1 << (page & 7))) !== 0;
  }

  async #readBitmap(from: number): Promise<void> {
    const { bitmapOffset } = this.#mapped;
    const wanted = Math.min(BITMAP_PIECE, bitmapBytes(this.#block.size) - from);
    const piece = new Uint8Array(wanted);
    const count = await readFrom(this.#window.source, piece, bitmapOffset + from);
    if (count < wanted) {
      const message = `Cannot read bitmap of block ${JSON.stringify(this.#block.name)}: the file ends within it`;
      throw new FormatError('truncated', message, { offset: bitmapOffset + from + count });
    }
    this.#bitmap = piece;
    this.#bitmapFrom = from;
  }
}
