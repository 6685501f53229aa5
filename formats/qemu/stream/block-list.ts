import type { ReadableParts } from '../../files/readable-parts.ts';
import type { Window } from '../../files/window.ts';
import type { PageBatch } from '../../pgm/page-batch.ts';
import type { QemuConfiguration } from '../configuration.ts';
import { IGNORE_SHARED, MAPPED_RAM } from '../constants.ts';
import { type RamBlocks, readBlock } from '../ram-blocks.ts';
import type { StreamBytes } from '../stream-bytes.ts';
import { MappedRam } from './mapped-ram.ts';

/** The stream that a list of RAM blocks stands in. */
export interface ListSurroundings {
  window: Window;
  bytes: StreamBytes;
  /** Gets the blocks. */
  blocks: RamBlocks;
  configuration: QemuConfiguration;
  parts: ReadableParts | undefined;
  /** @throws QemuFormatError where bytes from `start` up to the window's place are made up */
  expectReadable(start: number): void;
  /** Bytes of RAM below 4 GiB, as far as another part of the state tells them. */
  lowRam(): Promise<number | undefined>;
}

/** The list of RAM blocks at the start of section `ram`; blocks of mapped RAM have their pages beside it. */
export class BlockList {
  readonly #around: ListSurroundings;
  /** Total size of the blocks that the list still has to name. */
  #bytesLeft: number;
  /** Blocks of mapped RAM whose pages are still to be read, after the list. */
  readonly #mapped: MappedRam[] = [];

  /** @param total bytes of all blocks, as the head of the list tells */
  constructor(total: number, around: ListSurroundings) {
    this.#around = around;
    this.#bytesLeft = total;
    if (total === 0) around.blocks.settle(around.configuration.machine);
  }

  /** Whether there is more of the list, or of the pages beside it. */
  get isOpen(): boolean {
    return this.#bytesLeft > 0 || this.#mapped.length > 0;
  }

  /**
   * Reads the next block of the list, or pages beside it.
   * @param leavesContents the batch gets mapped pages without their contents
   * @returns whether this put pages into the batch
   */
  async readOn(batch: PageBatch, leavesContents: boolean): Promise<boolean> {
    if (this.#bytesLeft > 0) {
      await this.#readBlock();
      return false;
    }
    if (!(await this.#mapped[0].scan(batch, leavesContents))) return true;
    this.#mapped.shift();
    return false;
  }

  async #readBlock(): Promise<void> {
    const { window, bytes, blocks, configuration, parts } = this.#around;
    const { capabilities } = configuration;
    const form = { mapped: capabilities.includes(MAPPED_RAM), ignoreShared: capabilities.includes(IGNORE_SHARED) };
    const { offset } = window;
    const block = await readBlock(bytes, blocks, this.#bytesLeft, form);
    this.#around.expectReadable(offset);
    this.#bytesLeft -= block.size;
    const { mapped } = block;
    if (mapped) {
      this.#mapped.push(new MappedRam(window, blocks, { block, mapped }, parts));
      if (this.#bytesLeft > 0) await window.seek(mapped.pagesOffset + block.size);
    }
    if (this.#bytesLeft === 0) blocks.settle(configuration.machine, await this.#around.lowRam());
  }
}
