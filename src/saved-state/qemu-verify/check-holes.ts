import type { FormatCode } from '../../../formats/codes/format-codes.ts';
import { hex } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { bitmapBytes, type MappedPages } from '../../../formats/qemu/mapped-header.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';
import type { BlockSummary, QemuState } from '../qemu/qemu-state.ts';
import type { Findings } from '../reading/findings.ts';

const PIECE_PAGES = MIB / PAGE_SIZE;

/**
 * Compares the bitmap of mapped RAM with its pages. QEMU loads a page without a bit as zeros, and sets no bit for a
 * page of zeros. Reading holes of the file costs next to nothing.
 */
export async function checkHoles(
  source: ByteSource,
  { blocks, memoryRead, runState }: QemuState,
  findings: Findings,
  signal?: AbortSignal,
): Promise<void> {
  if (!memoryRead) return;
  // In a machine that ran during the save, pages in the file may have become zeros later.
  const severity = runState === undefined || runState === 'running' ? 'warning' : 'error';
  for (const block of blocks) {
    if (!block.mapped) continue;
    const { unnamed, lost, named, isBeyondEnd } = await surveyPages(source, block, block.mapped, Turns.rare(signal));
    if (await hasBytesInGap(source, block, block.mapped))
      findings.warn(
        'left-over',
        `There are bytes between bitmap and pages of block ${JSON.stringify(block.name)}, where QEMU writes none`,
        undefined,
        { unit: 'ram', instance: 0, offset: block.mapped.bitmapOffset + bitmapBytes(block.size) },
      );
    const add = (code: FormatCode, message: string, offset: number) =>
      findings.add({ severity, code, message, place: { unit: 'ram', instance: 0, offset } });
    const name = JSON.stringify(block.name);
    if (unnamed.count > 0)
      add(
        'unnamed-pages',
        `${unnamed.count} pages of block ${name}, the first at ${hex(unnamed.first)}, have bytes in ` +
          'the file and no bit in its bitmap: QEMU loads zeros for them. ' +
          (severity === 'error'
            ? 'The machine was paused when it was saved: the bitmap is damaged'
            : 'If the machine ran while it was saved, they may have become zeros; otherwise the bitmap is damaged'),
        block.mapped.pagesOffset + unnamed.first,
      );
    // With zero-page detection off, QEMU writes all pages, and sets all bits.
    if (lost.count > 0 && named < block.totalPages)
      add(
        'zeros-inside',
        `${lost.count} pages of block ${name}, the first at ${hex(lost.first)}, have a bit in the ` +
          'bitmap and nothing but zeros in the file: their bytes are lost, or the bitmap is damaged. ' +
          'QEMU loads zeros without an error',
        block.mapped.pagesOffset + lost.first,
      );
    if (isBeyondEnd)
      findings.add({
        severity: 'error',
        code: 'bad-mapped-ram',
        message: `The bitmap of block ${name} has bits for pages after the last one`,
        place: { unit: 'ram', instance: 0, offset: block.mapped.bitmapOffset },
      });
  }
}

/** Number of pages, and the first of them. */
interface PageCount {
  count: number;
  /** Offset of the first in its block. */
  first: number;
}

interface Survey {
  /** Pages with bytes and without a bit. */
  unnamed: PageCount;
  /** Pages with a bit that are zeros. */
  lost: PageCount;
  /** Pages with a bit. */
  named: number;
  isBeyondEnd: boolean;
}

async function surveyPages(
  source: ByteSource,
  { size }: BlockSummary,
  mapped: MappedPages,
  turns: Turns,
): Promise<Survey> {
  const survey: Survey = { unnamed: noPages(), lost: noPages(), named: 0, isBeyondEnd: false };
  const piece = new Uint8Array(MIB);
  const bits = new Uint8Array(PIECE_PAGES / 8);
  const pages = size / PAGE_SIZE;
  for (let start = 0; start < pages; start += PIECE_PAGES) {
    const count = Math.min(PIECE_PAGES, pages - start);
    const bitmap = bits.subarray(0, Math.min(bits.length, bitmapBytes(size) - start / 8));
    await source.read(bitmap, mapped.bitmapOffset + start / 8);
    const read = await source.read(piece.subarray(0, count * PAGE_SIZE), mapped.pagesOffset + start * PAGE_SIZE);
    for (let i = 0; (i + 1) * PAGE_SIZE <= read; i++) {
      const isNamed = hasBit(bitmap, i);
      if (isNamed) survey.named++;
      if (isNamed === isZero(piece, i * PAGE_SIZE, PAGE_SIZE))
        note(isNamed ? survey.lost : survey.unnamed, (start + i) * PAGE_SIZE);
    }
    for (let i = count; i < bitmap.length * 8; i++) survey.isBeyondEnd ||= hasBit(bitmap, i);
    if (turns.areDue) await turns.give();
  }
  return survey;
}

/** Tells whether the gap before the pages, which begin at a whole MiB, has bytes. */
async function hasBytesInGap(source: ByteSource, { size }: BlockSummary, mapped: MappedPages): Promise<boolean> {
  const start = mapped.bitmapOffset + bitmapBytes(size);
  const gap = new Uint8Array(Math.min(MIB, mapped.pagesOffset - start));
  return gap.subarray(0, await source.read(gap, start)).some((byte) => byte !== 0);
}

function noPages(): PageCount {
  return { count: 0, first: 0 };
}

function note(pages: PageCount, offset: number): void {
  if (pages.count++ === 0) pages.first = offset;
}

function hasBit(bitmap: Uint8Array, page: number): boolean {
  return (bitmap[page >>> 3] & (1 << (page & 7))) !== 0;
}
