import { FormatError, hex } from '../errors.ts';
import { returnBuffer, takeBuffer } from '../kernels/arena.ts';
import { INPUT_SLACK } from '../kernels/lzf.ts';
import { PAGE_SIZE } from '../sizes.ts';
import { RunningCrc } from './running-crc.ts';
import { type ByteSource, readFrom } from './source.ts';

/** Bytes read from the source at a time. 256 KiB to 1 MiB are equally fast; smaller costs calls, larger costs cache. */
export const WINDOW_SIZE = 1024 * 1024;
/** Slots for pages that are assembled from pieces, between two refills. When all are used, the batch ends early. */
export const SPILL_SLOTS = 64;

/** Memory with the bytes of pages, for example a window on a file. */
export interface Arena {
  /** The memory into which the indices of pages point. */
  readonly bytes: Uint8Array;
  /** Index of the spill slots in `bytes`. @internal */
  readonly spillStart: number;
  /** @internal */
  patch: BadBlockPatch | undefined;
  /** Source of the bytes, if they come from a file. */
  readonly source?: ByteSource | undefined;
  /** CRC of the file from which the bytes come. @internal */
  readonly crc?: RunningCrc;
  /** File offset of an index into `bytes`. */
  offsetOf(index: number): number;
}

/** Replaces blocks that can't be decompressed by bytes `fill`, and reports them. */
export interface BadBlockPatch {
  /** Value of the replacing bytes. */
  fill: number;
  /** Called with the error of each bad block. */
  onBadBlock: (error: FormatError) => void;
}

/** An arena over bytes in memory, without spill slots. */
export function memoryArena(bytes: Uint8Array): Arena {
  return { bytes, spillStart: bytes.length, offsetOf: (index) => index, patch: undefined };
}

/**
 * A stretch of the source in a fixed piece of memory, which moves front to back, with the CRC of the passed bytes.
 *
 * Parsers look at `bytes[position, end)` and advance `position`. References into `bytes` hold until the next `refill()`
 * or `seek()`. Spill slots follow the stretch, so that a page is always a place in this one array.
 */
export class Window {
  readonly source: ByteSource;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Index of slot 0 in `bytes`. */
  readonly spillStart = WINDOW_SIZE + INPUT_SLACK;
  position = 0;
  end = 0;
  /** If absent, blocks that can't be decompressed are errors. */
  patch: BadBlockPatch | undefined;
  /** CRC of the passed bytes. */
  readonly crc = new RunningCrc();
  /** File offset of `bytes[0]`. */
  #base = 0;
  #ended = false;

  constructor(source: ByteSource) {
    this.source = source;
    this.bytes = takeBuffer(WINDOW_SIZE + INPUT_SLACK + SPILL_SLOTS * PAGE_SIZE + INPUT_SLACK);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /** File offset of `bytes[position]`. */
  get offset(): number {
    return this.#base + this.position;
  }
  get available(): number {
    return this.end - this.position;
  }
  /** Whether the source has no bytes after the window. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Gives the memory back; nothing of the window may be used afterwards. */
  release(): void {
    returnBuffer(this.bytes);
  }

  /** File offset of an index into `bytes`. */
  offsetOf(index: number): number {
    return this.#base + index;
  }

  /** Drops the bytes before `position`, and fills the window from the source. Invalidates references. */
  async refill(): Promise<void> {
    this.crc.pass(this.bytes, this.#base, this.offset);
    this.bytes.copyWithin(0, this.position, this.end);
    this.#base += this.position;
    this.end -= this.position;
    this.position = 0;
    const wanted = WINDOW_SIZE - this.end;
    const count = await readFrom(this.source, this.bytes.subarray(this.end, WINDOW_SIZE), this.#base + this.end);
    this.end += count;
    this.#ended = count < wanted;
  }

  /**
   * Makes sure that `count` bytes are at `position`, with a refill if needed.
   * @throws FormatError `truncated` if the source ends before
   */
  async need(count: number, what: string): Promise<void> {
    if (this.available >= count) return;
    if (!this.#ended) await this.refill();
    if (this.available < count) throw truncated(what, this.offset, count, this.available);
  }

  /** CRC-32 from the start of the CRC's range through `bytes[index - 1]`; `index` must never go back. */
  crcThrough(index: number): number {
    this.crc.pass(this.bytes, this.#base, this.offsetOf(index));
    return this.crc.value;
  }

  /** Lets the CRC cover file bytes `[from, until)` only. To be called before anything after `from` has been passed. */
  limitCrc(from: number, until: number): void {
    this.crc.limit(from, until);
  }

  /** Index into `bytes` of a file offset. */
  indexOf(offset: number): number {
    return offset - this.#base;
  }

  /** Whether `count` bytes from a file offset on are in the window. */
  holds(offset: number, count: number): boolean {
    return offset >= this.#base && offset + count <= this.#base + this.end;
  }

  /**
   * Goes to a file offset, in a source that is not seekable only forward. The CRC is lost. Invalidates references.
   * @throws FormatError `truncated` if a source that is not seekable ends before
   */
  async seek(offset: number): Promise<void> {
    this.limitCrc(0, 0);
    if (this.source.seekable && !this.holds(offset, 0)) return this.#jump(offset);
    while (offset > this.#base + this.end) {
      this.position = this.end;
      await this.need(1, 'source');
    }
    this.position = offset - this.#base;
  }

  /** A mark for `restore`, to read on from here a second time. */
  mark(): { offset: number; crc: number } {
    return { offset: this.offset, crc: this.crcThrough(this.position) };
  }

  /** Goes back to a mark; outside of the window only with a seekable source. */
  restore(mark: { offset: number; crc: number }): void {
    if (mark.offset >= this.#base) {
      this.position = mark.offset - this.#base;
    } else this.#jump(mark.offset);
    this.crc.restore(mark.crc, mark.offset);
  }

  #jump(offset: number): void {
    this.#base = offset;
    this.position = 0;
    this.end = 0;
    this.#ended = false;
  }
}

export function truncated(what: string, offset: number, expected: number, found: number): FormatError {
  const message = `Cannot read ${what} at ${hex(offset)}: the file ends after ${found} bytes, expected ${expected}`;
  return new FormatError('truncated', message, { offset }, 'VERR_EOF');
}
