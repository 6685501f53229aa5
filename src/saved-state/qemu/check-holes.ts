import { hex } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { bitmapBytes, type MappedPages } from '../../../formats/qemu/mapped-header.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';
import type { Findings } from '../reading/findings.ts';
import type { BlockSummary, QemuState } from './qemu-state.ts';

const PIECE_PAGES = MIB / PAGE_SIZE;

/**
 * Looks for pages of mapped RAM that have bytes in the file, and no bit in the bitmap: QEMU loads zeros for them
 * without a word. Holes of the file cost next to nothing to read.
 */
export async function checkHoles(
  source: ByteSource,
  { blocks, memoryRead }: QemuState,
  findings: Findings,
  signal?: AbortSignal,
): Promise<void> {
  if (!memoryRead) return;
  for (const block of blocks) {
    if (!block.mapped) continue;
    const lost = await unnamedPages(source, block, block.mapped, Turns.rare(signal));
    if (lost.count === 0) continue;
    const message =
      `${lost.count} pages of block ${JSON.stringify(block.name)}, the first at ${hex(lost.first)}, have bytes ` +
      'in the file and no bit in its bitmap: QEMU loads zeros for them. Of a machine that was saved while it ran ' +
      'they may have become zeros; else the bitmap is damaged';
    findings.warn('unnamed-pages', message, undefined, { unit: 'ram', instance: 0, offset: lost.offset });
  }
}

interface Unnamed {
  count: number;
  /** Offset of the first in its block, and in the file. */
  first: number;
  offset: number;
}

async function unnamedPages(
  source: ByteSource,
  { size }: BlockSummary,
  mapped: MappedPages,
  turns: Turns,
): Promise<Unnamed> {
  const found: Unnamed = { count: 0, first: 0, offset: 0 };
  const piece = new Uint8Array(MIB);
  const bits = new Uint8Array(PIECE_PAGES / 8);
  const pages = size / PAGE_SIZE;
  for (let start = 0; start < pages; start += PIECE_PAGES) {
    const count = Math.min(PIECE_PAGES, pages - start);
    await source.read(
      bits.subarray(0, Math.min(bits.length, bitmapBytes(size) - start / 8)),
      mapped.bitmapOffset + start / 8,
    );
    const read = await source.read(piece.subarray(0, count * PAGE_SIZE), mapped.pagesOffset + start * PAGE_SIZE);
    for (let i = 0; (i + 1) * PAGE_SIZE <= read; i++) {
      if ((bits[i >>> 3] & (1 << (i & 7))) !== 0 || isZero(piece, i * PAGE_SIZE, PAGE_SIZE)) continue;
      if (found.count++ > 0) continue;
      found.first = (start + i) * PAGE_SIZE;
      found.offset = mapped.pagesOffset + found.first;
    }
    if (turns.areDue) await turns.give();
  }
  return found;
}
