import { openScratchFile } from '../../../formats/files/scratch-file.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { WrittenFile } from '../../../formats/files/written-file.ts';
import type { MemoryRange } from '../../../formats/image/extents.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';
import { countWithin } from '../../../formats/values/count-within.ts';
import { expectRange } from '../extract/expect-range.ts';
import { extract, prepareExtraction } from '../extract/extract.ts';
import type { MemoryFlaws } from '../reading/state-view.ts';
import { LONGEST_MATCH, type Match, type Pattern } from './pattern.ts';

/** A place in guest-physical memory. */
export interface Hit {
  /** Guest-physical address of the first byte. */
  at: number;
  /** Bytes of the match, at most `LONGEST_MATCH`. */
  length: number;
  /** The match with the bytes around it, as far as there is memory. */
  bytes: Uint8Array;
  /** Address of the first of these bytes. */
  from: number;
}

/** All hits are in memory until the end. */
export const MOST_HITS = 1_000_000;

/** Options of a search. */
export interface SearchOptions {
  /** Only matches that lie in these guest-physical addresses, `[start, end)`. */
  range?: MemoryRange;
  /** Bytes around each match, at most 1 MiB. */
  context?: number;
  /** Matches reported at most, up to a million. */
  maxHits: number;
  /** Stops the work. Then InterruptedError is thrown. */
  signal?: AbortSignal;
  /** Called with the bytes done of `total`. */
  onProgress?: (done: number, step: string, total?: number) => void;
}

/** Result of a search. Pages that the state lacks were searched as zeros. */
export interface SearchReport extends MemoryFlaws {
  /** Matches by address. */
  hits: Hit[];
  /** False where there may be more than `maxHits`. */
  complete: boolean;
  /** Stretches of memory that were searched. */
  searched: MemoryRange[];
}

/** Bytes that are searched at a time for starts of matches. */
const PIECE = MIB;
/** Bytes of a piece, with the bytes after it in which a match may end. */
const WINDOW = PIECE + LONGEST_MATCH;

/**
 * Searches memory as the guest sees it, RAM with ROM and mapped device memory in their places, by guest-physical
 * address. A match may cross pages and adjoining ranges, but no gap. The memory goes through a temporary file without a
 * name; zeros take no room in it, and no time unless the pattern matches them.
 * @param source seekable
 * @throws FormatError for damage
 */
export async function searchMemory(
  source: ByteSource,
  pattern: Pattern,
  options: SearchOptions,
): Promise<SearchReport> {
  const { range = { start: 0, end: Number.POSITIVE_INFINITY }, signal, onProgress } = options;
  if (options.range) expectRange(options.range);
  countWithin('maxHits', options.maxHits, 0, MOST_HITS);
  countWithin('context', options.context ?? 0, 0, MIB);
  const start = range.start - (range.start % PAGE_SIZE);
  const part = {
    asSeen: true,
    range: options.range && { start, end: Math.ceil(range.end / PAGE_SIZE) * PAGE_SIZE },
  };
  const watching = { signal, onProgress };
  const { plan: planned } = await prepareExtraction(source, { ...part, format: 'raw', ...watching });
  const { plan } = await planned();
  const scratch = openScratchFile();
  try {
    const image = new ImageWithHoles(scratch.name, scratch.descriptor);
    await extract(source, image, { ...part, format: 'sparse', ...watching });
    const memory = await image.readBack();
    const { uncertain, missing } = plan;
    const flaws = { ...(uncertain !== undefined && { uncertain }), ...(missing !== undefined && { missing }) };
    const report: SearchReport = { hits: [], complete: true, searched: [], ...flaws };
    const searched: Searched = { memory, image, shift: start, total: plan.layout.size };
    for (const whole of joined(plan.existing)) {
      const stretch = {
        start: Math.max(whole.start, range.start - start),
        end: Math.min(whole.end, range.end - start),
      };
      if (stretch.start >= stretch.end) continue;
      report.searched.push({ start: start + stretch.start, end: start + stretch.end });
      if (report.complete) await searchStretch(searched, stretch, pattern, options, report);
    }
    return report;
  } finally {
    scratch.close();
  }
}

/** A file that knows which of its pieces were never written, and so are zeros. */
class ImageWithHoles extends WrittenFile {
  readonly #written = new Set<number>();

  override async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    await super.writeAt(bytes, position);
    for (let piece = pieceOf(position); piece <= pieceOf(position + bytes.length - 1); piece++)
      this.#written.add(piece);
  }

  isHole(start: number, end: number): boolean {
    for (let piece = pieceOf(start); piece <= pieceOf(end - 1); piece++) if (this.#written.has(piece)) return false;
    return true;
  }
}

function pieceOf(offset: number): number {
  return Math.floor(offset / PIECE);
}

interface Searched {
  image: ImageWithHoles;
  /** Reads the image. */
  memory: ByteSource;
  /** Address of its first byte. */
  shift: number;
  total: number;
}

async function searchStretch(
  { image, memory, shift, total }: Searched,
  { start, end }: MemoryRange,
  pattern: Pattern,
  options: SearchOptions,
  report: SearchReport,
) {
  const { context = 0, maxHits, onProgress } = options;
  const turns = Turns.rare(options.signal);
  let zerosMatch: boolean | undefined;
  const room = Buffer.allocUnsafe(context + PIECE + LONGEST_MATCH + context);
  let next = start;
  while (next < end && report.complete) {
    if (turns.areDue) await turns.give();
    const at = next;
    onProgress?.(at, 'searching', total);
    if (at + WINDOW <= end && image.isHole(at, at + WINDOW)) {
      zerosMatch ??= matchesIn(Buffer.alloc(WINDOW), pattern).length > 0;
      if (!zerosMatch) {
        next = at + PIECE;
        continue;
      }
    }
    const before = Math.min(context, at - start);
    const count = await memory.read(room.subarray(0, Math.min(room.length, end - at + before)), at - before);
    const around = room.subarray(0, count);
    next = at + PIECE;
    for (const { offset, length } of matchesIn(around.subarray(before, before + WINDOW), pattern)) {
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
  }
}

/** Matches that start in the first `PIECE` bytes; empty ones don't count. */
function matchesIn(window: Buffer, pattern: Pattern): Match[] {
  return pattern.find(window, PIECE).filter(({ offset, length }) => offset < PIECE && length > 0);
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
