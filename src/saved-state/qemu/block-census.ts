import { isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { IGNORE_SHARED } from '../../../formats/qemu/constants.ts';
import { rangesOf } from '../../../formats/qemu/guest-layout.ts';
import { pageOf, type RamBlock } from '../../../formats/qemu/ram-blocks.ts';
import type { QemuStreamReader } from '../../../formats/qemu/stream/stream-reader.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { FrameSet } from '../reading/frame-set.ts';
import type { BlockSummary } from './qemu-state.ts';

/** Counts the pages of each block. */
export class BlockCensus {
  readonly #reader: QemuStreamReader;
  readonly #seen: { frames: FrameSet; zero: number; raw: number }[] = [];

  constructor(reader: QemuStreamReader) {
    this.#reader = reader;
  }

  add(batch: PageBatch): void {
    const { blocks } = this.#reader;
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      const id = isRam(kind) ? blocks.ramBlockAt(batch.page[i]) : batch.id[i];
      this.#seen[id] ??= { frames: new FrameSet(), zero: 0, raw: 0 };
      const seen = this.#seen[id];
      seen.frames.add(batch.page[i]);
      if (kind === PageKind.RAM_ZERO || kind === PageKind.MMIO2_ZERO) seen.zero++;
      else seen.raw++;
    }
  }

  /** Takes back a page of which the newest copy is lost. */
  drop(block: RamBlock, address: number): void {
    this.#seen[block.id]?.frames.remove(pageOf(this.#reader.blocks, block, address));
  }

  /** Blocks that the state names, with pages in a file of their own. */
  leftOut(): RamBlock[] {
    if (!this.#reader.configuration.capabilities.includes(IGNORE_SHARED)) return [];
    return this.#reader.blocks.all.filter((block) => this.#isLeftOut(block));
  }

  summaries(): BlockSummary[] {
    const { blocks, configuration } = this.#reader;
    const ignoresShared = configuration.capabilities.includes(IGNORE_SHARED);
    return blocks.all.map((block) => {
      const seen = this.#seen[block.id];
      return {
        ...block,
        pages: seen?.frames.size ?? 0,
        totalPages: block.size / PAGE_SIZE,
        zeroRecords: seen?.zero ?? 0,
        rawRecords: seen?.raw ?? 0,
        ranges: rangesOf(block, blocks.layout),
        isMapped: block.mapped !== undefined,
        leftOut: ignoresShared && this.#isLeftOut(block),
      };
    });
  }

  #isLeftOut({ id }: RamBlock): boolean {
    return this.#seen[id] === undefined;
  }
}
