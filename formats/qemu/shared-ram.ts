import { UsageError } from '../errors.ts';
import { HOLE } from '../files/failing-disk.ts';
import { ReadableParts } from '../files/readable-parts.ts';
import type { ByteSource, RamFile } from '../files/source.ts';
import { Window } from '../files/window.ts';
import { isZero } from '../kernels/zero.ts';
import { PageBatch } from '../pgm/page-batch.ts';
import { PAGE_SIZE } from '../sizes.ts';
import { Encoding } from '../ssm/segments.ts';
import { addPage, type RamBlock, type RamBlocks } from './ram-blocks.ts';

/**
 * Files by the blocks that they hold.
 * @throws UsageError `bad-ram` unless each block that the state leaves out has one file of its size, and each file a
 * block
 */
export function filesOfBlocks(files: readonly RamFile[], leftOut: readonly RamBlock[]): Map<RamBlock, ByteSource> {
  const found = new Map<RamBlock, ByteSource>();
  const named = new Set(files.map(({ block }) => block));
  for (const { source, block } of files) {
    const fitting = leftOut.filter(
      ({ name, size }) => size === source.size && (block === undefined ? !named.has(name) : name === block),
    );
    const told = block === undefined ? '' : `${JSON.stringify(block)} `;
    const size = source.size === undefined ? 'no known size' : `${source.size} bytes`;
    const file = `${told}from ${source.name} of ${size}`;
    if (fitting.length !== 1) throw badRam(`Cannot take RAM ${file}`, leftOut);
    if (found.has(fitting[0])) throw badRam(`Cannot take RAM ${file}: it is there already`, leftOut);
    found.set(fitting[0], source);
  }
  const [missing] = leftOut.filter((block) => !found.has(block));
  if (missing) throw badRam(`Cannot take RAM: no file holds ${JSON.stringify(missing.name)}`, leftOut);
  return found;
}

function badRam(what: string, leftOut: readonly RamBlock[]): UsageError {
  const sizes = leftOut.map(({ name, size }) => `${JSON.stringify(name)} of ${size} bytes`).join(', ');
  return new UsageError('bad-ram', `${what}; the state leaves out ${sizes}`);
}

/** A block of RAM of a machine that keeps it in a shared file; the state leaves it out (`x-ignore-shared`). */
export class SharedRam {
  readonly batch: PageBatch;
  readonly #window: Window;
  readonly #blocks: RamBlocks;
  readonly #block: RamBlock;
  readonly #parts: ReadableParts | undefined;
  #page = 0;

  /** @param source all bytes of the block; pages with bytes that a failing disk cannot read are left out */
  constructor(source: ByteSource | ReadableParts, blocks: RamBlocks, block: RamBlock) {
    this.#parts = source instanceof ReadableParts ? source : undefined;
    this.#block = block;
    this.#blocks = blocks;
    this.#window = new Window(source instanceof ReadableParts ? source.filledWith(HOLE) : source);
    this.batch = new PageBatch(this.#window);
  }

  /** Fills `batch` with the next pages; false when there are no more. */
  async nextPages(): Promise<boolean> {
    const { batch } = this;
    const window = this.#window;
    const block = this.#block;
    batch.clear();
    if (this.#page * PAGE_SIZE >= block.size) return false;
    await window.need(PAGE_SIZE, `page of ${JSON.stringify(block.name)}`);
    while (!batch.isFull && window.available >= PAGE_SIZE && this.#page * PAGE_SIZE < block.size) {
      const at = window.position;
      if (this.#parts?.badIn(window.offset, window.offset + PAGE_SIZE)) {
        this.#page++;
        window.position += PAGE_SIZE;
        continue;
      }
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
