import { isZero } from '../../kernels/zero.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { bitmapBytes } from '../mapped-header.ts';
import type { RamBlock } from '../ram-blocks.ts';
import type { PageWriter, WritablePage } from './page-writer.ts';
import type { WrittenRun } from './written-run.ts';

/**
 * Writes pages of a block to fixed places in a file, with holes for pages of zeros: mapped RAM, or the file with a
 * machine's shared RAM.
 */
export class PlacedPages implements PageWriter {
  /** A bit for each page with content. */
  readonly bitmap: Uint8Array;
  readonly #run: WrittenRun;
  /** Offset of the first page in the file. */
  readonly #start: number;

  constructor(run: WrittenRun, block: RamBlock, start: number) {
    this.#run = run;
    this.#start = start;
    this.bitmap = new Uint8Array(bitmapBytes(block.size));
  }

  put(_: RamBlock, offset: number, content: WritablePage | undefined, i: number): Promise<void> | undefined {
    if (this.#run.continuesAt(this.#start + offset)) return this.#add(offset, content, i);
    return this.#run.flush().then(() => this.#add(offset, content, i));
  }

  async finish(): Promise<void> {
    await this.#run.flush();
  }

  #add(offset: number, content: WritablePage | undefined, i: number): Promise<void> | undefined {
    const run = this.#run;
    const page = offset / PAGE_SIZE;
    const bit = 1 << (page & 7);
    content?.decode(i, run.bytes, run.length);
    if (content && !isZero(run.bytes, run.length, PAGE_SIZE)) this.bitmap[page >>> 3] |= bit;
    else {
      // The hole stays, unless the page had content before.
      if ((this.bitmap[page >>> 3] & bit) === 0) return run.length > 0 ? run.flush() : undefined;
      this.bitmap[page >>> 3] &= ~bit;
      run.bytes.fill(0, run.length, run.length + PAGE_SIZE);
    }
    run.add(this.#start + offset);
    return undefined;
  }
}
