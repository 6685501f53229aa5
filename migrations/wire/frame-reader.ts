import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { after, stopTimer } from '../../formats/world/waiting.ts';
import { FrameAssembler } from './frame-assembler.ts';
import { LinkError } from './link-error.ts';
import { MigrationError } from './migration-error.ts';
import type { Frame } from './payload.ts';
import { readInto } from './read-into.ts';

/** Maximum number of bytes that wait here before the stream is paused. */
const HIGH_WATER = MIB;
/** Size of the buffer for bytes that arrive while no frame is being read: a TLS record. */
const SPARE = 16384;

/** Cuts a stream into frames. One reader at a time. */
export class FrameReader {
  readonly #stream: Duplex;
  /** Whether the stream writes directly into the frame's buffer. */
  readonly #isDirect: boolean;
  readonly #assembler = new FrameAssembler();
  readonly #spare = new Uint8Array(SPARE);
  /** The spare buffer for the next bytes, while they do not go into the frame. */
  #besides: Uint8Array | undefined;
  readonly #chunks: Uint8Array[] = [];
  #queued = 0;
  /** Reason for the end of the stream; bytes that arrived before may still be read. */
  #end: SavkitError | undefined;
  /** The error for bytes that are no frame. */
  #fault: Error | undefined;
  #isDropping = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#isDirect = readInto(stream, { space: () => this.#space(), filled: (count) => this.#filled(count) });
    if (!this.#isDirect) stream.on('data', (chunk: Uint8Array) => this.#takeUntilFull(chunk));
    stream.on('error', (error) => this.fail(LinkError.lost(error)));
    stream.on('end', () => this.fail(LinkError.ended()));
    stream.on('close', () => this.fail(LinkError.lost()));
  }

  /**
   * The next frame; borrowed until the next call.
   * @param timeOut ms until the whole frame has to be here
   * @throws LinkError when the stream has ended or the time is over; MigrationError for bytes that are no frame
   */
  async read(timeOut: number, expected: string): Promise<Frame> {
    if (this.#wake) throw new MigrationError('two-readers', 'Cannot read frame: another read is under way');
    this.#assembler.next();
    this.#drain();
    if (this.#wantsMore && !this.#end) await this.#wait(timeOut);
    const { frame } = this.#assembler;
    if (frame) return frame;
    throw this.#fault ?? this.#end ?? LinkError.silent(timeOut, expected);
  }

  /** Limit for the payloads of the next frames, in bytes, below the limits of their types. */
  set limit(bytes: number) {
    this.#assembler.limit = bytes;
  }

  fail(error: SavkitError): void {
    this.#end ??= error;
    this.#wake?.();
  }

  /** Ends reading: further bytes are dropped, so that the end of the stream is noticed. */
  drop(): void {
    this.#isDropping = true;
    this.#chunks.length = 0;
    this.#stream.resume();
  }

  get #wantsMore(): boolean {
    return !this.#assembler.isWhole && !this.#fault;
  }

  /** Resolves when a frame is whole, when no frame can arrive any more, or when the time is over. */
  async #wait(timeOut: number): Promise<void> {
    if (this.#isDirect) this.#stream.resume();
    await new Promise<void>((resolve) => {
      const timer = after(timeOut, resolve);
      this.#wake = () => {
        stopTimer(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  #space(): Uint8Array {
    // A paused socket may still deliver bytes that it has decrypted before.
    if (this.#wantsMore && !this.#isDropping && this.#chunks.length === 0) this.#besides = undefined;
    else this.#besides = this.#chunks.length === 0 ? this.#spare : new Uint8Array(SPARE);
    return this.#besides ?? this.#assembler.space();
  }

  /** @returns whether more bytes may be ready */
  #filled(count: number): boolean {
    if (this.#isDropping) return true;
    if (this.#besides) this.#take(this.#besides.subarray(0, count));
    else this.#advance(count);
    return this.#wantsMore;
  }

  #takeUntilFull(chunk: Uint8Array): void {
    if (this.#isDropping) return;
    this.#take(chunk);
    if (this.#queued >= HIGH_WATER) this.#stream.pause();
  }

  #take(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#queued += chunk.length;
    if (this.#wake) this.#drain();
  }

  /** Assembles chunks until a frame is whole. */
  #drain(): void {
    while (this.#wantsMore && this.#chunks.length > 0) {
      const chunk = this.#chunks[0];
      const space = this.#assembler.space();
      const count = Math.min(space.length, chunk.length);
      space.set(count === chunk.length ? chunk : chunk.subarray(0, count));
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
      this.#queued -= count;
      this.#advance(count);
    }
    if (!this.#isDirect && this.#queued < HIGH_WATER && this.#stream.isPaused()) this.#stream.resume();
  }

  #advance(count: number): void {
    try {
      this.#assembler.filled(count);
    } catch (error) {
      this.#fault = error as Error;
    }
    if (!this.#wantsMore) this.#wake?.();
  }
}
