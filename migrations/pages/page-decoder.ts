import { HIGH_WORD, LOW_WORD } from '../../formats/binary/byte-order.ts';
import { applyWordDelta } from '../../formats/kernels/delta.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { TargetMachine } from '../machine/machine.ts';
import { HashBatch, type PageHashes } from '../machine/page-hashes.ts';
import { PAGE_CODECS, PAGE_ENTRY_SIZE, PAGES_HEAD_SIZE, PageCodec, pageEntry, pagesHead } from '../wire/frames.ts';
import { FRAME_PAGES } from '../wire/limits.ts';
import { type MigrationCode, MigrationError } from '../wire/migration-error.ts';
import { shortFrame } from '../wire/payload.ts';
import { readOnePage } from './one-page.ts';
import { type Zstd, zstdContentSize } from './zstd.ts';

const HEAD = pagesHead.offsets;
const { page: PAGE_AT, codec: CODEC_AT, length: LENGTH_AT, hash: HASH_AT } = pageEntry.offsets;

/** Puts frames of pages into memory. Nothing in them is trusted: every length, page number and hash is checked. */
export class PageDecoder {
  readonly #machine: TargetMachine;
  readonly #hashes: PageHashes;
  readonly #zstd: Zstd | undefined;
  readonly #isOwn: (page: number) => boolean;
  readonly #batch = new HashBatch(FRAME_PAGES);
  readonly #at = new Uint32Array(FRAME_PAGES);
  readonly #page = new Uint8Array(PAGE_SIZE);
  /** Raw pages that were checked but are not in memory yet; their contents follow each other in the frame. */
  readonly #run = new Uint32Array(FRAME_PAGES);
  #runLength = 0;
  #runAt = 0;
  readonly #one = new Uint32Array(1);
  readonly #single = new HashBatch(1);
  readonly #singleAt = new Uint32Array(1);

  /** @param isOwn whether a page travels on this stream */
  constructor(machine: TargetMachine, hashes: PageHashes, zstd: Zstd | undefined, isOwn: (page: number) => boolean) {
    this.#machine = machine;
    this.#hashes = hashes;
    this.#zstd = zstd;
    this.#isOwn = isOwn;
  }

  /** @returns number of pages in the frame @throws MigrationError; pages before the fault are in memory then */
  apply(payload: Uint8Array, round: number): number {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    if (payload.length < PAGES_HEAD_SIZE) throw shortFrame('pages', payload.length);
    const found = view.getUint32(HEAD.round, true);
    if (found !== round)
      throw new MigrationError('wrong-round', `Cannot take pages: they are of round ${found}, expected ${round}`);
    const count = view.getUint16(HEAD.count, true);
    if (count === 0 || count > FRAME_PAGES)
      throw new MigrationError(
        'bad-count',
        `Cannot take pages: ${count} of them in one frame, expected 1 to ${FRAME_PAGES}`,
      );
    const plainAt = PAGES_HEAD_SIZE + count * PAGE_ENTRY_SIZE;
    const plainEnd = plainAt + view.getUint32(HEAD.plainSize, true);
    const packedEnd = plainEnd + view.getUint32(HEAD.packedSize, true);
    if (packedEnd !== payload.length)
      throw new MigrationError(
        'bad-length',
        `Cannot take pages: the frame has ${payload.length} bytes, expected ${packedEnd}`,
      );
    const unpacked = this.#unpack(payload, plainEnd, view, count);
    this.#hashRaw(payload, view, count, plainAt, plainEnd);
    try {
      this.#applyAll(payload, view, count, plainAt, unpacked);
    } finally {
      this.#writeRun(payload);
    }
    return count;
  }

  #unpack(payload: Uint8Array, at: number, view: DataView, count: number): Uint8Array {
    let pages = 0;
    for (let i = 0; i < count; i++)
      if (view.getUint16(PAGES_HEAD_SIZE + i * PAGE_ENTRY_SIZE + CODEC_AT, true) === PageCodec.ZSTD) pages++;
    const packed = payload.subarray(at);
    if (pages === 0 && packed.length === 0) return packed;
    if (!this.#zstd) throw zstdError('they are packed, which was not agreed');
    const size = pages * PAGE_SIZE;
    const claimed = zstdContentSize(packed);
    if (claimed !== size || size === 0)
      throw zstdError(
        `${packed.length} packed bytes claim to expand to ${claimed ?? 'an unknown number'}, expected ${size}`,
      );
    try {
      const bytes = this.#zstd.decompress(packed, size);
      if (bytes.length === size) return bytes;
    } catch {
      // The error below tells the peer.
    }
    throw zstdError(`${packed.length} packed bytes do not expand to ${size}`);
  }

  #applyAll(payload: Uint8Array, view: DataView, count: number, plainAt: number, unpacked: Uint8Array): void {
    let at = plainAt;
    let packedAt = 0;
    let raw = 0;
    for (let i = 0; i < count; i++) {
      const entry = PAGES_HEAD_SIZE + i * PAGE_ENTRY_SIZE;
      const page = view.getUint32(entry + PAGE_AT, true);
      const codec = view.getUint16(entry + CODEC_AT, true);
      const length = view.getUint16(entry + LENGTH_AT, true);
      if (page >= this.#hashes.pageCount || !this.#isOwn(page))
        throw pageError('bad-page', page, 'the machine has no such page on this stream');
      switch (codec) {
        case PageCodec.RAW:
          this.#check(page, view, entry, this.#batch.words, raw++);
          if (this.#runLength === 0) this.#runAt = at;
          this.#run[this.#runLength++] = page;
          break;
        case PageCodec.ZERO:
          this.#zero(page, payload);
          break;
        case PageCodec.ZSTD:
          this.#writeRun(payload);
          this.#take(page, view, entry, unpacked, packedAt);
          packedAt += PAGE_SIZE;
          break;
        default:
          this.#writeRun(payload);
          this.#rebuild(page, codec, payload, view, at, length);
          this.#take(page, view, entry, this.#page, 0);
      }
      at += length;
    }
  }

  #writeRun(payload: Uint8Array): void {
    const length = this.#runLength;
    this.#runLength = 0;
    if (length > 0) this.#machine.writePages(this.#run, length, payload, this.#runAt);
  }

  #zero(page: number, payload: Uint8Array): void {
    if (this.#hashes.isZero(page)) return;
    this.#writeRun(payload);
    this.#machine.zeroPage(page);
    this.#hashes.setZero(page);
  }

  /** Checks the lengths of all entries, and hashes the raw pages in one go. */
  #hashRaw(payload: Uint8Array, view: DataView, count: number, plainAt: number, plainEnd: number): void {
    let at = plainAt;
    let raw = 0;
    for (let i = 0; i < count; i++) {
      const entry = PAGES_HEAD_SIZE + i * PAGE_ENTRY_SIZE;
      const codec = view.getUint16(entry + CODEC_AT, true);
      const length = view.getUint16(entry + LENGTH_AT, true);
      if (!isLengthOf(codec, length)) {
        const name = PAGE_CODECS[codec]?.name ?? `codec ${codec}`;
        throw pageError('bad-length', view.getUint32(entry + PAGE_AT, true), `${length} bytes cannot be ${name}`);
      }
      if (codec === PageCodec.RAW) this.#at[raw++] = at;
      at += length;
      if (at > plainEnd) break;
    }
    if (at !== plainEnd)
      throw new MigrationError(
        'bad-length',
        `Cannot take pages: their contents have ${at - plainAt} bytes, expected ${plainEnd - plainAt}`,
      );
    this.#batch.hash(payload, this.#at, raw);
  }

  /** Fills `#page` with the page that the entry describes. */
  #rebuild(page: number, codec: number, payload: Uint8Array, view: DataView, at: number, length: number): void {
    const base = codec === PageCodec.SAME ? view.getUint32(at, true) : page;
    if (base >= this.#hashes.pageCount || !this.#isOwn(base))
      throw pageError('bad-page', page, `it refers to page ${base}, which is not on this stream`);
    if (!readOnePage(this.#machine, base, this.#page, 0)) this.#page.fill(0);
    if (codec === PageCodec.DELTA && !applyWordDelta(payload, at, length, this.#page, 0))
      throw pageError('bad-delta', page, 'its delta does not fit a page');
  }

  /** Hashes one page, checks it, and gives it to memory. */
  #take(page: number, view: DataView, entry: number, bytes: Uint8Array, at: number): void {
    this.#singleAt[0] = at;
    this.#single.hash(bytes, this.#singleAt, 1);
    this.#check(page, view, entry, this.#single.words, 0);
    this.#one[0] = page;
    this.#machine.writePages(this.#one, 1, bytes, at);
  }

  #check(page: number, view: DataView, entry: number, words: Uint32Array, i: number): void {
    if (
      view.getUint32(entry + HASH_AT, true) !== words[i * 2 + LOW_WORD] ||
      view.getUint32(entry + HASH_AT + 4, true) !== words[i * 2 + HIGH_WORD]
    )
      throw pageError('bad-hash', page, 'its content does not have the hash that came with it');
    this.#hashes.set(page, words, i);
  }
}

function isLengthOf(codec: number, length: number): boolean {
  switch (codec) {
    case PageCodec.RAW:
      return length === PAGE_SIZE;
    case PageCodec.SAME:
      return length === 4;
    case PageCodec.DELTA:
      return length > 0 && length < PAGE_SIZE;
    case PageCodec.ZERO:
    case PageCodec.ZSTD:
      return length === 0;
    default:
      return false;
  }
}

function zstdError(reason: string): MigrationError {
  return new MigrationError('bad-zstd', `Cannot take pages: ${reason}`);
}

function pageError(code: MigrationCode, page: number, what: string): MigrationError {
  return new MigrationError(code, `Cannot take page ${page}: ${what}`);
}
