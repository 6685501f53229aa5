import type { ByteSource } from '../../../formats/files/source.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { hashMemory, sameIds } from '../hashing/fingerprint.ts';
import type { SpanHashes } from '../hashing/span-hashes.ts';
import { stepOf } from '../reading/step.ts';
import type { WalkOptions } from '../reading/walk.ts';
import type { BlockSummary } from './qemu-state.ts';
import { readQemuState } from './read-qemu-state.ts';

/** Counts of the pages of a block. */
export interface BlockStatistics {
  name: string;
  /** Pages of the block; and the number of these that the state holds. */
  totalPages: number;
  pages: number;
  /** Of the pages in the state: pages with content, and zero pages. */
  filled: number;
  zeros: number;
  /**
   * Records with a page, and records of pages of zeros. Records beyond `pages` repeat pages that the running machine
   * wrote.
   */
  rawRecords: number;
  zeroRecords: number;
  repeats: number;
  /** The pages are not in the state, but in the file that backs the machine's memory. */
  leftOut: boolean;
}

export interface QemuStatisticsOptions extends Pick<WalkOptions, 'signal'> {
  /** Called with the offset reached in the file. */
  onProgress?: (doing: 'reading', offset: number) => void;
}

/** Counts the pages of a state by block. @throws SavkitError for damage */
export async function qemuStatistics(
  source: ByteSource,
  { signal, onProgress }: QemuStatisticsOptions = {},
): Promise<BlockStatistics[]> {
  const { state, memory } = await hashMemory(readQemuState, source, {
    ...stepOf({ signal, onProgress }, 'reading'),
    naming: sameIds,
    of: 'content',
  });
  const isAlone = state.blocks.filter(({ isRam }) => isRam).length === 1;
  return state.blocks.map((block) => {
    const hashes = memory.get(block.isRam ? 'RAM' : `MMIO2 ${block.id}`);
    return statisticsOf(block, filledPages(block, hashes, isAlone || !block.isRam));
  });
}

function statisticsOf(block: BlockSummary, filled: number): BlockStatistics {
  const { name, totalPages, pages, rawRecords, zeroRecords, leftOut } = block;
  const repeats = rawRecords + zeroRecords - pages;
  return { name, totalPages, pages, filled, zeros: pages - filled, rawRecords, zeroRecords, repeats, leftOut };
}

/** @param isAlone all hashes are of this block */
function filledPages({ ranges }: BlockSummary, hashes: SpanHashes | undefined, isAlone: boolean): number {
  let count = 0;
  for (const { page, hashes: run } of hashes?.runs() ?? [])
    for (let i = 0; i < run.length; i++) {
      const address = (page + i) * PAGE_SIZE;
      if (run[i] !== 0n && (isAlone || ranges.some(({ start, end }) => address >= start && address < end))) count++;
    }
  return count;
}
