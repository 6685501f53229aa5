import { HIGH_WORD, LOW_WORD } from '../../formats/binary/byte-order.ts';
import { wordDelta } from '../../formats/kernels/delta.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { PageAccess } from '../machine/machine.ts';
import { HashBatch, pageOffsets } from '../machine/page-hashes.ts';
import { PAGE_CODECS, PAGE_ENTRY_SIZE, PAGES_HEAD_SIZE, PageCodec, pageEntry, pagesHead } from '../wire/frames.ts';
import { FRAME_PAGES } from '../wire/limits.ts';
import { type PageBuffer, PLAIN_AT } from '../wire/page-buffer.ts';
import { readOnePage } from './one-page.ts';
import type { SentPages } from './sent-pages.ts';
import type { Zstd } from './zstd.ts';

/** Number of times a page is sent before its content is kept, so that only changes are sent from then on. */
const HOT = 1;

/** Offsets of the contents of a frame's pages, by slot. Hashes have the same slots, and one more for pages of zeros. */
const SLOTS = pageOffsets(FRAME_PAGES, PLAIN_AT);
const NO_SLOT = FRAME_PAGES;

/** Size of a delta, in bytes, above which it saves too little for its time. */
const DELTA_LIMIT = (PAGE_SIZE * 3) / 4;

const HEAD = pagesHead.offsets;
const { page: PAGE_AT, codec: CODEC_AT, length: LENGTH_AT, hash: HASH_AT } = pageEntry.offsets;
/** Size of a page number in the place of content, for a page equal to another. */
const TWIN_SIZE = 4;

/** Pages and bytes by codec; skipped ones were equal at the target already. */
export interface CodecCounts {
  pages: number[];
  bytes: number[];
  skipped: number;
}

export function noCounts(): CodecCounts {
  return { pages: PAGE_CODECS.map(() => 0), bytes: PAGE_CODECS.map(() => 0), skipped: 0 };
}

/** Builds frames of pages in place: reads, hashes, chooses a codec for each page, closes the gaps. */
export class PageEncoder {
  /** Whether to compress pages that no cheap codec takes. */
  compress = false;
  counts: CodecCounts = noCounts();
  readonly #machine: PageAccess;
  readonly #sent: SentPages;
  readonly #zstd: Zstd | undefined;
  /** Pages that travel on the same stream, and so in order. */
  readonly #isOwn: (page: number) => boolean;
  readonly #hashes = new HashBatch(FRAME_PAGES + 1);
  readonly #held = new Uint8Array(FRAME_PAGES);
  readonly #delta = new Uint8Array(DELTA_LIMIT);
  readonly #other = new Uint8Array(PAGE_SIZE);
  #packed = new Uint8Array(0);
  /** State of the frame being built: entries, end of the plain area, bytes to be packed. */
  #entries = 0;
  #end = 0;
  #packedSize = 0;

  constructor(machine: PageAccess, sent: SentPages, zstd: Zstd | undefined, isOwn: (page: number) => boolean) {
    this.#machine = machine;
    this.#sent = sent;
    this.#zstd = zstd;
    this.#isOwn = isOwn;
  }

  /**
   * Builds one frame of pages `pages[0, count)` as they are now, without pages that the target already has.
   * @returns start and length of the payload; length 0 if there is nothing to send
   */
  encode(buffer: PageBuffer, round: number, pages: Uint32Array, count: number): { start: number; length: number } {
    const held = this.#machine.readPages(pages, count, buffer.bytes, PLAIN_AT, this.#held);
    this.#hashes.hash(buffer.bytes, SLOTS, held);
    this.#entries = 0;
    this.#end = PLAIN_AT;
    this.#packedSize = 0;
    for (let i = 0, slot = 0; i < count; i++) this.#place(buffer, pages[i], this.#held[i] === 1 ? slot++ : NO_SLOT);
    if (this.#entries === 0) return { start: PLAIN_AT, length: 0 };
    const packed = this.#pack(buffer);
    return this.#finish(buffer, round, packed);
  }

  /** Chooses the codec of a page, and moves its encoded content to the end of the plain area. */
  #place(buffer: PageBuffer, page: number, slot: number): void {
    const { words } = this.#hashes;
    if (this.#sent.hashes.is(page, words, slot)) {
      this.counts.skipped++;
      return;
    }
    const codec = this.#chooseCodec(buffer, page, slot);
    this.#sent.note(page, words, slot);
    if (codec === PageCodec.ZERO || codec === PageCodec.SAME) this.#sent.drop(page);
  }

  #chooseCodec(buffer: PageBuffer, page: number, i: number): number {
    const at = SLOTS[i];
    if (this.#hashes.isZero(i)) return this.#enter(buffer, page, i, PageCodec.ZERO, 0);
    const twin = this.#sent.pageWith(this.#hashes.words, i);
    if (twin >= 0 && twin !== page && this.#isOwn(twin) && this.#equals(twin, buffer.bytes, at)) {
      buffer.view.setUint32(this.#end, twin, true);
      return this.#enter(buffer, page, i, PageCodec.SAME, TWIN_SIZE);
    }
    if (this.#sent.times[page] >= HOT) {
      const size = this.#placeDelta(buffer, page, at);
      if (size > 0) return this.#enter(buffer, page, i, PageCodec.DELTA, size);
    }
    return this.compress && this.#zstd && looksCompressible(buffer.bytes, at)
      ? this.#enterPacked(buffer, page, i, at)
      : this.#enterRaw(buffer, page, i, at);
  }

  /** Compares the bytes, since hashes may be equal by chance. */
  #equals(twin: number, bytes: Uint8Array, at: number): boolean {
    return (
      readOnePage(this.#machine, twin, this.#other, 0) &&
      Buffer.compare(this.#other, bytes.subarray(at, at + PAGE_SIZE)) === 0
    );
  }

  /**
   * Puts a delta at the end of the plain area, if the old content is known and the delta is small. @returns its size,
   * else 0
   */
  #placeDelta({ bytes }: PageBuffer, page: number, at: number): number {
    const old = this.#sent.keptContent(page);
    const size = old ? wordDelta(old, this.#sent.keptAt(page), bytes, at, this.#delta, 0, DELTA_LIMIT) : 0;
    this.#sent.keep(page, bytes, at);
    if (size > 0) bytes.set(this.#delta.subarray(0, size), this.#end);
    return size;
  }

  #enterRaw(buffer: PageBuffer, page: number, i: number, at: number): number {
    if (at !== this.#end) buffer.bytes.copyWithin(this.#end, at, at + PAGE_SIZE);
    return this.#enter(buffer, page, i, PageCodec.RAW, PAGE_SIZE);
  }

  #enterPacked(buffer: PageBuffer, page: number, i: number, at: number): number {
    if (this.#packed.length === 0)
      this.#packed = new Uint8Array(Math.min(FRAME_PAGES, this.#sent.hashes.pageCount) * PAGE_SIZE);
    this.#packed.set(buffer.bytes.subarray(at, at + PAGE_SIZE), this.#packedSize);
    this.#packedSize += PAGE_SIZE;
    return this.#enter(buffer, page, i, PageCodec.ZSTD, 0);
  }

  #enter({ view }: PageBuffer, page: number, i: number, codec: number, length: number): number {
    // The table is written from the front, and moved to its place after the head when its length is known.
    const at = this.#entries++ * PAGE_ENTRY_SIZE;
    view.setUint32(at + PAGE_AT, page, true);
    view.setUint16(at + CODEC_AT, codec, true);
    view.setUint16(at + LENGTH_AT, length, true);
    view.setUint32(at + HASH_AT, this.#hashes.words[i * 2 + LOW_WORD], true);
    view.setUint32(at + HASH_AT + 4, this.#hashes.words[i * 2 + HIGH_WORD], true);
    this.#end += length;
    this.counts.pages[codec]++;
    this.counts.bytes[codec] += length;
    return codec;
  }

  #pack({ bytes }: PageBuffer): number {
    if (this.#packedSize === 0 || !this.#zstd) return 0;
    const packed = this.#zstd.compress(this.#packed.subarray(0, this.#packedSize));
    bytes.set(packed, this.#end);
    this.counts.bytes[PageCodec.ZSTD] += packed.length;
    return packed.length;
  }

  #finish({ bytes, view }: PageBuffer, round: number, packed: number): { start: number; length: number } {
    const table = this.#entries * PAGE_ENTRY_SIZE;
    const start = PLAIN_AT - table - PAGES_HEAD_SIZE;
    bytes.copyWithin(PLAIN_AT - table, 0, table);
    view.setUint32(start + HEAD.round, round, true);
    view.setUint16(start + HEAD.count, this.#entries, true);
    view.setUint16(start + HEAD.zero, 0, true);
    view.setUint32(start + HEAD.plainSize, this.#end - PLAIN_AT, true);
    view.setUint32(start + HEAD.packedSize, packed, true);
    return { start, length: this.#end + packed - start };
  }
}

/** Whether samples of a page have so few different values that zstd will gain something. */
function looksCompressible(bytes: Uint8Array, at: number): boolean {
  SEEN.fill(0);
  let different = 0;
  for (let i = 0; i < PAGE_SIZE; i += 37) {
    const value = bytes[at + i];
    if (SEEN[value] === 0) different++;
    SEEN[value] = 1;
  }
  // 111 random bytes show 90 different values, give or take 4.
  return different < 75;
}
const SEEN = new Uint8Array(256);
