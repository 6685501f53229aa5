import { UsageError } from '../errors.ts';
import type { ByteSource } from '../files/source.ts';
import { Window } from '../files/window.ts';
import { isZero } from '../kernels/zero.ts';
import { PageBatch } from '../pgm/page-batch.ts';
import { PAGE_SIZE } from '../sizes.ts';
import { Encoding } from '../ssm/segments.ts';
import { addPage, type RamBlock, type RamBlocks } from './ram-blocks.ts';

/** The RAM of a machine that keeps it in a shared file; the state leaves RAM out (`x-ignore-shared`). */
export class SharedRam {
  readonly batch: PageBatch;
  readonly #window: Window;
  readonly #blocks: RamBlocks;
  readonly #block: RamBlock | undefined;
  #page = 0;

  /** @throws UsageError where the file is not the RAM that the state leaves out */
  constructor(source: ByteSource, blocks: RamBlocks, leftOut: readonly RamBlock[]) {
    const fitting = leftOut.filter(({ size }) => size === source.size);
    if (leftOut.length > 0 && fitting.length !== 1) {
      const sizes = leftOut.map(({ name, size }) => `${JSON.stringify(name)} of ${size} bytes`).join(', ');
      throw new UsageError(
        'bad-ram',
        `Cannot take RAM from ${source.name} of ${source.size} bytes: the state leaves out ${sizes}`,
      );
    }
    this.#block = fitting[0];
    this.#blocks = blocks;
    this.#window = new Window(source);
    this.batch = new PageBatch(this.#window);
  }

  /** Fills `batch` with the next pages; false when there are no more. */
  async nextPages(): Promise<boolean> {
    const { batch } = this;
    const window = this.#window;
    const block = this.#block;
    batch.clear();
    if (!block || this.#page * PAGE_SIZE >= block.size) return false;
    await window.need(PAGE_SIZE, `page of ${JSON.stringify(block.name)}`);
    while (!batch.isFull && window.available >= PAGE_SIZE && this.#page * PAGE_SIZE < block.size) {
      const at = window.position;
      const isEmpty = isZero(window.bytes, at, PAGE_SIZE);
      addPage(batch, this.#blocks, block, this.#page++ * PAGE_SIZE, isEmpty);
      if (!isEmpty) batch.setContent(Encoding.RAW, at, PAGE_SIZE);
      window.position += PAGE_SIZE;
    }
    return true;
  }

  release(): void {
    this.#window.release();
  }
}
