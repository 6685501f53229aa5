import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import type { TimerHandle } from '../../formats/world/time.ts';
import { after, clock, every, stopTimer } from '../../formats/world/waiting.ts';
import { FrameReader } from './frame-reader.ts';
import { FRAME_HEADER_SIZE, FRAMES, type FrameHead, type FrameName } from './frames.ts';
import { TIME_OUTS, type TimeOuts } from './limits.ts';
import { LinkError } from './link-error.ts';
import { PageBuffer } from './page-buffer.ts';
import { encodeFrame, type Frame, writeFrameHeader } from './payload.ts';

/** Buffers for frames of pages: one is filled while the others are written. */
const RING = 4;

/** Frames over any duplex stream. */
export class FrameChannel {
  readonly timeOuts: TimeOuts;
  /** Resolves when both sides have ended the stream. */
  readonly closed: Promise<unknown>;
  /** Bytes written and read so far, headers included. */
  sent = 0;
  received = 0;
  readonly #stream: Duplex;
  readonly #reader: FrameReader;
  readonly #free: PageBuffer[] = [];
  /**
   * Whether a buffer may be filled again after its write. A socket has copied the bytes by then; other streams may pass
   * the buffer itself on.
   */
  readonly #mayReuse: boolean;
  #slots = 0;
  #failure: SavkitError | undefined;
  #freed: (() => void) | undefined;
  /** Writes that the stream has not taken yet, and the time of the last completed write. */
  #pending = 0;
  #lastWritten = 0;
  /** Callers that wait for a write; a stream that is destroyed in the middle of a write does not always answer. */
  readonly #writers = new Set<(error: SavkitError) => void>();
  readonly #watch: TimerHandle;
  #beats: TimerHandle | undefined;

  constructor(stream: Duplex, timeOuts: TimeOuts = TIME_OUTS) {
    this.#reader = new FrameReader(stream);
    this.#stream = stream;
    this.#mayReuse = stream instanceof Socket;
    this.timeOuts = timeOuts;
    this.#stream.on('error', (error) => this.#fail(LinkError.lost(error)));
    this.closed = new Promise((resolve) => this.#stream.once('close', resolve));
    this.#stream.on('close', () => this.#fail(LinkError.lost()));
    this.#watch = every(timeOuts.frame / 4, () => this.#checkWrites());
  }

  /** Resolves when the frame has left the process, or the stream has room for more. @throws LinkError */
  async send<N extends FrameName>(name: N, head: FrameHead<N>, tail?: Uint8Array | object): Promise<void> {
    await this.#write(encodeFrame(name, head, tail));
  }

  /** A buffer for a frame of pages. Waits while all are under way. @throws LinkError */
  async takeBuffer(): Promise<PageBuffer> {
    for (;;) {
      if (this.#failure) throw this.#failure;
      const buffer = this.#free.pop();
      if (buffer) return buffer;
      if (this.#slots < RING) {
        this.#slots++;
        return new PageBuffer();
      }
      await new Promise<void>((resolve) => {
        this.#freed = resolve;
      });
    }
  }

  /**
   * Sends `payload` bytes of a buffer of `takeBuffer` from `start` on, after their header; the buffer is taken back.
   */
  sendBuffer(buffer: PageBuffer, start: number, payload: number): void {
    const frame = buffer.bytes.subarray(start - FRAME_HEADER_SIZE, start + payload);
    writeFrameHeader(frame, FRAMES.pages.type, payload);
    this.sent += frame.length;
    if (this.#pending++ === 0) this.#lastWritten = clock();
    this.#stream.write(frame, () => {
      this.#written();
      this.returnBuffer(this.#mayReuse ? buffer : new PageBuffer());
    });
  }

  /** Gives back a buffer that was not needed. */
  returnBuffer(buffer: PageBuffer): void {
    this.#free.push(buffer);
    this.#freed?.();
  }

  /**
   * Limit for the payloads of the next frames, in bytes, below the limits of their types: low while the peer is not
   * trusted.
   */
  set limit(bytes: number) {
    this.#reader.limit = bytes;
  }

  /** The next frame; borrowed until the next call. @throws LinkError, FormatError */
  async receive(expected: string, timeOut = this.timeOuts.frame): Promise<Frame> {
    const frame = await this.#reader.read(timeOut, expected);
    this.received += FRAME_HEADER_SIZE + frame.payload.length;
    return frame;
  }

  /** Sends a sign of life whenever nothing else was sent for a while. */
  startBeats(): void {
    let before = this.sent;
    this.#beats = every(this.timeOuts.beat, () => {
      if (this.sent === before && this.#pending === 0) this.send('beat', {}).catch(() => {});
      before = this.sent;
    });
  }

  /** Says good-bye: frames under way still go out, and the other side has the time of a frame to say good-bye, too. */
  end(): void {
    this.#stream.end();
    this.#reader.drop();
    // The system would wait a quarter of an hour for a host that is gone.
    const patience = after(this.timeOuts.frame, () => this.#stream.destroy(), { keepsAlive: false });
    void this.closed.then(() => stopTimer(patience));
  }

  destroy(): void {
    this.#stream.destroy();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure;
    this.sent += bytes.length;
    if (this.#pending++ === 0) this.#lastWritten = clock();
    await new Promise<void>((resolve, reject) => {
      this.#writers.add(reject);
      this.#stream.write(bytes, (error) => {
        this.#writers.delete(reject);
        this.#written();
        if (error) reject(this.#failure ?? LinkError.lost(error));
        else resolve();
      });
    });
  }

  #written(): void {
    this.#pending--;
    this.#lastWritten = clock();
  }

  /** Ends the channel to a peer that reads nothing, so that this side does not wait for ever. */
  #checkWrites(): void {
    if (this.#pending > 0 && clock() - this.#lastWritten > this.timeOuts.frame) {
      this.#fail(LinkError.silent(this.timeOuts.frame, 'that the other side takes sent bytes'));
      this.#stream.destroy();
    }
  }

  #fail(error: SavkitError): void {
    stopTimer(this.#watch);
    stopTimer(this.#beats);
    for (const buffer of this.#free.splice(0)) buffer.giveBack();
    this.#failure ??= error;
    this.#freed?.();
    for (const reject of this.#writers) reject(this.#failure);
  }
}
