import { InterruptedError } from '../../../formats/errors.ts';
import { openScratchFile } from '../../../formats/files/scratch-file.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { WrittenFile } from '../../../formats/files/written-file.ts';
import type { MemoryRange } from '../../../formats/image/extents.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { extract, prepareExtraction } from '../extract/extract.ts';
import { LONGEST_MATCH, type Pattern } from './pattern.ts';

/** A place in guest-physical memory. */
export interface Hit {
  /** Guest-physical address of the first byte. */
  at: number;
  /** Bytes of the match, at most `LONGEST_MATCH`. */
  length: number;
  /** The match with what stands around it, as far as that is memory. */
  bytes: Uint8Array;
  /** Address of the first of these bytes. */
  from: number;
}

/** Where to look, and who is told. */
export interface SearchOptions {
  /** Only matches that lie in these guest-physical addresses, `[start, end)`. */
  range?: MemoryRange;
  /** Bytes around each match. */
  context?: number;
  /** So many at most. */
  maxHits: number;
  /** Stops the work. Then InterruptedError is thrown. */
  signal?: AbortSignal;
  /** Called with the bytes done of `total`. */
  onProgress?: (done: number, step: string, total?: number) => void;
}

/** What a search has found. */
export interface SearchReport {
  /** By address. */
  hits: Hit[];
  /** False where there may be more than `maxHits`. */
  complete: boolean;
  /** Stretches of memory that were searched. */
  searched: MemoryRange[];
}

/** Bytes looked at at a time. */
const PIECE = MIB;

/**
 * Searches memory as the guest sees it, RAM with ROM and mapped device memory in their places, by guest-physical
 * address. A match may cross pages and ranges that follow each other, but no gap. The memory goes through a temporary
 * file without a name; zeros take no room in it.
 * @param source seekable
 * @throws FormatError for damage
 */
export async function searchMemory(
  source: ByteSource,
  pattern: Pattern,
  options: SearchOptions,
): Promise<SearchReport> {
  const { range = { start: 0, end: Number.POSITIVE_INFINITY }, signal, onProgress } = options;
  const start = range.start - (range.start % PAGE_SIZE);
  const part = {
    asSeen: true,
    ...(options.range ? { range: { start, end: Math.ceil(range.end / PAGE_SIZE) * PAGE_SIZE } } : {}),
  };
  const watching = { signal, onProgress };
  const { plan: planned } = await prepareExtraction(source, { ...part, format: 'raw', ...watching });
  const { plan } = await planned();
  const scratch = openScratchFile();
  try {
    const image = new WrittenFile(scratch.name, scratch.descriptor);
    await extract(source, image, { ...part, format: 'sparse', ...watching });
    const memory = await image.readBack();
    const report: SearchReport = { hits: [], complete: true, searched: [] };
    for (const whole of joined(plan.existing)) {
      const stretch = {
        start: Math.max(whole.start, range.start - start),
        end: Math.min(whole.end, range.end - start),
      };
      if (stretch.start >= stretch.end) continue;
      report.searched.push({ start: start + stretch.start, end: start + stretch.end });
      if (report.complete)
        await searchStretch({ memory, shift: start, total: plan.layout.size }, stretch, pattern, options, report);
    }
    return report;
  } finally {
    scratch.close();
  }
}

interface Image {
  memory: ByteSource;
  /** Address of its first byte. */
  shift: number;
  total: number;
}

async function searchStretch(
  { memory, shift, total }: Image,
  { start, end }: MemoryRange,
  pattern: Pattern,
  options: SearchOptions,
  report: SearchReport,
) {
  const { context = 0, maxHits, signal, onProgress } = options;
  const room = Buffer.allocUnsafe(context + PIECE + LONGEST_MATCH + context);
  let next = start;
  while (next < end && report.complete) {
    if (signal?.aborted) throw new InterruptedError();
    const at = next;
    const before = Math.min(context, at - start);
    const count = await memory.read(room.subarray(0, Math.min(room.length, end - at + before)), at - before);
    const around = room.subarray(0, count);
    next = at + PIECE;
    // Matches without a byte, of which an expression can have any number, are none.
    const matches = pattern
      .find(around.subarray(before, before + PIECE + LONGEST_MATCH), PIECE)
      .filter(({ offset, length }) => offset < PIECE && length > 0);
    for (const { offset, length } of matches) {
      if (report.hits.length >= maxHits) report.complete = false;
      if (!report.complete) break;
      const first = Math.max(0, before + offset - context);
      const told = Math.min(length, LONGEST_MATCH);
      const bytes = Uint8Array.from(around.subarray(first, before + offset + told + context));
      report.hits.push({ at: shift + at + offset, length: told, bytes, from: shift + at - before + first });
      if (pattern.overlaps) continue;
      next = told < length ? at + offset + told : Math.max(next, at + offset + told);
      if (told < length) break;
    }
    onProgress?.(at, 'searching', total);
  }
}

function joined(ranges: readonly MemoryRange[]): MemoryRange[] {
  const result: MemoryRange[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else result.push({ start, end });
  }
  return result;
}
