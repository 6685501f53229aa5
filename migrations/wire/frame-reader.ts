import type { Readable } from 'node:stream';
import { FormatError, type SavkitError } from '../../formats/errors.ts';
import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { MIB } from '../../formats/units.ts';
import { FRAME_HEADER_SIZE } from './frames.ts';
import { MAX_PAGES_PAYLOAD } from './limits.ts';
import { LinkError } from './link-error.ts';
import { type Frame, readFrameHeader } from './payload.ts';

/** So much may lie here unread before the stream is told to wait. */
const HIGH_WATER = MIB;

/** Room for any frame of pages, where kernels hash them without copying. */
const ROOM = MAX_PAGES_PAYLOAD;

/** Cuts a stream into frames. One reader at a time; memory is bounded by the largest frame. */
export class FrameReader {
  readonly #stream: Readable;
  readonly #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that are used up. */
  #used = 0;
  #queued = 0;
  #frame: Uint8Array = new Uint8Array(4096);
  #failure: SavkitError | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('data', (chunk: Uint8Array) => this.#take(chunk));
    stream.on('error', (error) => this.fail(LinkError.lost(error)));
    stream.on('end', () => this.fail(LinkError.lost()));
    stream.on('close', () => this.fail(LinkError.lost()));
  }

  /**
   * The next frame; borrowed until the next call.
   * @param timeOut ms until the whole frame has to be here
   * @throws LinkError when the stream has ended or the time is over; FormatError for what is no frame
   */
  async read(timeOut: number, expected: string): Promise<Frame> {
    const deadline = performance.now() + timeOut;
    await this.#fill(0, FRAME_HEADER_SIZE, deadline, timeOut, expected);
    const { name, length } = readFrameHeader(this.#frame);
    await this.#fill(0, length, deadline, timeOut, expected);
    return { name, payload: this.#frame.subarray(0, length) };
  }

  fail(error: SavkitError): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  #take(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#queued += chunk.length;
    if (this.#queued >= HIGH_WATER) this.#stream.pause();
    this.#wake?.();
  }

  async #fill(at: number, end: number, deadline: number, timeOut: number, expected: string): Promise<void> {
    for (let to = at; to < end; ) {
      if (this.#chunks.length === 0) {
        await this.#wait(deadline, timeOut, expected);
        continue;
      }
      to += this.#copy(to, end - to);
    }
  }

  /** Copies from the first chunk; gives how much. */
  #copy(to: number, wanted: number): number {
    const chunk = this.#chunks[0];
    const count = Math.min(wanted, chunk.length - this.#used);
    if (this.#frame.length < to + count) this.#grow(to, Math.min(to + wanted, Math.max(to + count, this.#frame.length * 4)));
    this.#frame.set(count === chunk.length ? chunk : chunk.subarray(this.#used, this.#used + count), to);
    this.#used += count;
    this.#queued -= count;
    if (this.#used === chunk.length) {
      this.#chunks.shift();
      this.#used = 0;
    }
    if (this.#queued < HIGH_WATER && this.#stream.isPaused()) this.#stream.resume();
    return count;
  }

  /** Only for bytes that are here: a length is a claim, and costs nothing to make. */
  #grow(used: number, length: number): void {
    const larger = length > 4 * 4096 && length <= ROOM ? takeBuffer(ROOM) : new Uint8Array(length);
    larger.set(this.#frame.subarray(0, used));
    returnBuffer(this.#frame);
    this.#frame = larger;
  }

  async #wait(deadline: number, timeOut: number, expected: string): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#wake) throw new FormatError('two-readers', 'Cannot read frame: another read is under way');
    const left = deadline - performance.now();
    if (left <= 0) throw LinkError.silent(timeOut, expected);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
