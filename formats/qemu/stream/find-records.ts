import { PAGE_SIZE, TWO_32 } from '../../sizes.ts';
import { PartType, RamFlag } from '../constants.ts';
import type { RamBlock, RamBlocks } from '../ram-blocks.ts';

// Finds the next record of RAM after bytes that cannot be read. Records have no marks of their own: several in a row
// tell that one begins, and the number of the lost bytes tells which records these were.

const WORD = 8;
/** Bytes of the records of a page and of a page of zeros in the same block. */
const PAGE_RECORD = WORD + PAGE_SIZE;
const FILL_RECORD = WORD + 1;
/** Bytes of the mark after a section, and of the head of a part. */
const MARK = 5;
/** Bytes from the last record of a body to the first one of the next: end and mark of a body, head of a section. */
const BETWEEN = WORD + 2 * MARK;
const MOST_BETWEEN = 2;
/** Records that follow each other over so many bytes are no accident, and no content of one page. */
const SPAN = 2 * PAGE_RECORD;
const FEWEST = 4;
/** Bytes of records that suffice where the size of the gap confirms them. */
const PROVEN_SPAN = PAGE_RECORD;
const FEWEST_PROVEN = 2;
const LONGEST_RECORD = PAGE_RECORD + 256;
/** Maximum number of bytes between a gap and the next record: a page, a name, two ends of sections. */
const FARTHEST = LONGEST_RECORD + MOST_BETWEEN * BETWEEN;
/** Bytes that suffice for a search. */
export const SEARCHED = 2 * FARTHEST + SPAN + FEWEST * LONGEST_RECORD;

/** Records of RAM that go on after a gap. */
export interface FoundRecords {
  /** Index of the first record. */
  at: number;
  /** The block of this record; undefined where the body of memory ends. */
  block: RamBlock | undefined;
  /** Pages whose records were in the gap, as stretches of blocks; undefined where that is not known. */
  lost: { block: RamBlock; first: number; end: number }[] | undefined;
}

/** A gap in the records, and what was before. */
export interface RecordGap {
  /** Bytes from the start of the gap to the start of the searched bytes. */
  before: number;
  /** The page of the last record before the gap; undefined where it was before the first one. */
  last: { block: RamBlock; address: number } | undefined;
  /** Number of the section. */
  section: number;
  /** Whether some of the searched bytes are made up. */
  isMadeUp: (start: number, end: number) => boolean;
}

interface Head {
  kind: 'page' | 'fill' | 'end';
  /** The block that the record names. */
  named: RamBlock | undefined;
  address: number;
  /** Index after the record. */
  end: number;
}

/** @param bytes the first bytes after the gap @returns undefined where no records are found */
export function findRecords(bytes: Uint8Array, blocks: RamBlocks, gap: RecordGap): FoundRecords | undefined {
  const search = new Search(bytes, blocks, gap);
  const ways = new Set<number>();
  for (let at = 0; at < FARTHEST && at + WORD <= bytes.length; at++) {
    const found = search.begins(at, FEWEST_PROVEN, PROVEN_SPAN) ? search.proven(at) : undefined;
    if (found) return found;
    if (search.begins(at, FEWEST, SPAN)) ways.add(search.afterSearch(at));
  }
  // Each beginning that was found may be content of a page, so all of them have to lead to the same record.
  const [at, ...others] = ways;
  return at === undefined || others.length > 0 ? undefined : search.unproven(at);
}

class Search {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #blocks: RamBlocks;
  readonly #gap: RecordGap;
  /** Bytes of the largest block. */
  readonly #largest: number;

  constructor(bytes: Uint8Array, blocks: RamBlocks, gap: RecordGap) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#blocks = blocks;
    this.#gap = gap;
    this.#largest = Math.max(...blocks.all.map(({ size }) => size));
  }

  /** Whether so many records follow each other from here on, over so many bytes, or up to the end of the body. */
  begins(from: number, fewest: number, span: number): boolean {
    let at = from;
    for (let records = 0; records < fewest || at - from < span; records++) {
      const head = this.#head(at);
      if (!head) return false;
      if (head.kind === 'end') return this.#isMark(head.end);
      at = head.end;
    }
    return true;
  }

  /** The records from here on, if the gap before held exactly those that QEMU writes before them. */
  proven(at: number): FoundRecords | undefined {
    const head = this.#head(at);
    if (!head) return undefined;
    if (head.kind === 'end') {
      if (this.#goesOn(at)) return this.#head(at + BETWEEN) && this.proven(at + BETWEEN);
      const lost = this.#lostBefore(at, undefined);
      return lost && { at, block: undefined, lost };
    }
    const { first } = this;
    for (const block of head.named ? [head.named] : this.#blocks.all.slice(first.block.id)) {
      const lost = this.#lostBefore(at, { ...head, block });
      if (lost) return { at, block, lost };
    }
    return undefined;
  }

  /** The first record after all places where records may begin, or the end of the body. */
  afterSearch(from: number): number {
    let at = from;
    for (let head = this.#head(at); head && head.kind !== 'end' && at < FARTHEST; head = this.#head(at)) at = head.end;
    return at;
  }

  unproven(from: number): FoundRecords | undefined {
    const at = this.#head(from)?.kind === 'end' && this.#goesOn(from) ? from + BETWEEN : from;
    const head = this.#head(at);
    if (!head) return undefined;
    if (head.kind === 'end') return { at, block: undefined, lost: undefined };
    const block = head.named ?? this.#onlyBlockOf(at);
    return block && { at, block, lost: undefined };
  }

  /** The first page of which the gap may hold a record. */
  get first(): { block: RamBlock; address: number } {
    const { last } = this.#gap;
    return last ? { block: last.block, address: last.address + PAGE_SIZE } : { block: this.#blocks.all[0], address: 0 };
  }

  /** Whether another body of memory follows the end of this one. */
  #goesOn(at: number): boolean {
    const next = at + WORD + MARK;
    const type = this.#bytes[next];
    if (type !== PartType.PART && type !== PartType.END) return false;
    return next + MARK <= this.#bytes.length && this.#view.getUint32(next + 1) === this.#gap.section;
  }

  #head(at: number): Head | undefined {
    if (at + WORD > this.#bytes.length) return undefined;
    const low = this.#view.getUint32(at + 4);
    const flags = low & 0xfff;
    const address = this.#view.getUint32(at) * TWO_32 + ((low & ~0xfff) >>> 0);
    if (flags === RamFlag.END) {
      const isEnd = address === 0 && !this.#gap.isMadeUp(at, at + BETWEEN);
      return isEnd ? { kind: 'end', named: undefined, address, end: at + WORD } : undefined;
    }
    const kind = flags & ~RamFlag.SAME_BLOCK;
    if (kind !== RamFlag.PAGE && kind !== RamFlag.FILL) return undefined;
    let end = at + WORD;
    let named: RamBlock | undefined;
    if ((flags & RamFlag.SAME_BLOCK) === 0) {
      const length = this.#bytes[end] ?? 0;
      named = this.#blocks.find(Buffer.from(this.#bytes.subarray(end + 1, end + 1 + length)).toString('latin1'));
      if (!named) return undefined;
      end += 1 + length;
    }
    const isFill = kind === RamFlag.FILL;
    const isOutside = address + PAGE_SIZE > (named?.size ?? this.#largest);
    if (isOutside || this.#gap.isMadeUp(at, isFill ? end + 1 : end)) return undefined;
    return { kind: isFill ? 'fill' : 'page', named, address, end: end + (isFill ? 1 : PAGE_SIZE) };
  }

  /** Whether the mark of the section follows. */
  #isMark(at: number): boolean {
    return (
      at + MARK <= this.#bytes.length &&
      this.#bytes[at] === PartType.FOOTER &&
      this.#view.getUint32(at + 1) === this.#gap.section
    );
  }

  /** The block that all records from here to a named one have to belong to, since others are too small. */
  #onlyBlockOf(from: number): RamBlock | undefined {
    let highest = 0;
    for (let head = this.#head(from); head && head.kind !== 'end'; head = this.#head(head.end)) {
      if (head.named) break;
      highest = Math.max(highest, head.address + PAGE_SIZE);
    }
    const large = this.#blocks.all.filter(({ size }) => size >= highest);
    return large.length === 1 ? large[0] : undefined;
  }

  /**
   * Pages that QEMU saves between the last record before the gap and this one (undefined: the end of the last body), if
   * their records have as many bytes as are lost: then the gap held exactly those.
   */
  #lostBefore(at: number, next: { block: RamBlock; address: number; named: RamBlock | undefined } | undefined) {
    const { first } = this;
    const last = next?.block ?? this.#blocks.all.at(-1) ?? first.block;
    const to = next?.address ?? last.size;
    const isNamed = next === undefined || next.named !== undefined || next.block === first.block || to > 0;
    if (last.id < first.block.id || !isNamed) return undefined;
    const lost: { block: RamBlock; first: number; end: number }[] = [];
    let [pages, names] = [0, 0];
    for (const block of this.#blocks.all.slice(first.block.id, last.id + 1)) {
      const start = block === first.block ? first.address : 0;
      const end = block === last ? to : block.size;
      if (end < start) return undefined;
      if (end > start) lost.push({ block, first: start / PAGE_SIZE, end: end / PAGE_SIZE });
      pages += (end - start) / PAGE_SIZE;
      if (start === 0 && end > 0) names += 1 + block.name.length;
    }
    return this.#fits(this.#gap.before + at - names, pages) ? lost : undefined;
  }

  /** Whether so many bytes hold the records of so many pages, of zeros or not, and the ends of some bodies. */
  #fits(bytes: number, pages: number): boolean {
    for (let ends = 0; ends <= MOST_BETWEEN; ends++) {
      const full = (bytes - ends * BETWEEN - pages * FILL_RECORD) / (PAGE_RECORD - FILL_RECORD);
      if (Number.isInteger(full) && full >= 0 && full <= pages) return true;
    }
    return false;
  }
}
