import type { Duplex } from 'node:stream';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { after, clock, stopTimer } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { networkWords } from '../wire/network-error.ts';

/** Bytes that are read ahead. They survive an error of the stream, so that a last NACK is not lost. */
const READ_AHEAD = MIB;
/** The protocol has no time-outs: after silence of this length, the system checks whether the other host is alive. */
export const KEEP_ALIVE_MS = 15_000;
/** Time for a peer to read the last answer and to close, before the connection is cut. */
const FAREWELL_MS = 2000;

export interface Line {
  /** The line without its end. */
  text: string;
  /** The line was complete; false if the peer closed, or exceeded the limit. */
  ended: boolean;
  /** The bytes as received, with the line's end. */
  bytes: Uint8Array;
}

const NEWLINE = 0x0a;
const NUL = 0;

/** The other side of a connection: lines and bytes over any duplex stream, one reader and one writer at a time. */
export class Peer {
  /** For messages, e.g. `127.0.0.1:6000`. */
  readonly name: string;
  readonly #stream: Duplex;
  readonly #signal: AbortSignal | undefined;
  readonly #chunks: Uint8Array[] = [];
  #buffered = 0;
  #ended = false;
  /** Whether the stream is paused, since enough bytes are buffered. */
  #paused = false;
  /** Whether the reader will be woken in the next turn. */
  #waking = false;
  /** Whether further input is dropped. */
  #closing = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  /** @param signal ends waiting for input with InterruptedError; the connection stays open for a last word */
  constructor(stream: Duplex, name: string, signal?: AbortSignal) {
    this.#stream = stream;
    this.name = name;
    this.#signal = signal;
    signal?.addEventListener('abort', () => this.#wake(), { once: true });
    stream.on('data', (chunk: Uint8Array) => this.#keep(chunk));
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
    stream.on('error', (error) => {
      this.#error ??= error;
      this.#end();
    });
  }

  /** Whether reading would not wait: bytes are buffered, or the peer has closed. */
  get hasInput(): boolean {
    return this.#buffered > 0 || this.#ended;
  }

  /** Whether the peer has closed its side, and all input has been read. */
  get isClosed(): boolean {
    return this.#buffered === 0 && this.#ended;
  }

  /**
   * Reads at least one byte, at most the buffered ones; 0 at the end. @throws EnvironmentError when the connection
   * broke
   */
  async read(target: Uint8Array): Promise<number> {
    if (this.#buffered === 0) await this.#input();
    let done = 0;
    while (done < target.length && this.#buffered > 0) {
      const part = this.#take(target.length - done);
      target.set(part, done);
      done += part.length;
    }
    return done;
  }

  /**
   * Reads UTF-8 text up to a newline (or NUL, which ends lines as well), or `limit` bytes without one.
   * @param options.withinMs time for the whole line
   * @param options.evenIfInterrupted the signal does not end the waiting
   * @returns undefined when the peer closed without sending anything
   */
  async line(
    limit: number,
    { withinMs, evenIfInterrupted = false }: { withinMs?: number; evenIfInterrupted?: boolean } = {},
  ): Promise<Line | undefined> {
    const bytes: number[] = [];
    const deadline = withinMs === undefined ? undefined : clock() + withinMs;
    for (;;) {
      if (this.#buffered === 0) await this.#input(deadline, evenIfInterrupted);
      if (this.#buffered === 0) return bytes.length === 0 ? undefined : lineOf(bytes, false);
      const byte = this.#take(1)[0];
      bytes.push(byte);
      if (byte === NEWLINE || byte === NUL) return lineOf(bytes, true);
      if (bytes.length === limit) return lineOf(bytes, false);
    }
  }

  /** Sends parts as one; they may be reused once the promise is fulfilled. @throws EnvironmentError */
  async write(...parts: Uint8Array[]): Promise<void> {
    if (this.#error) throw this.#broken(this.#error);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#stream.once('close', reject);
        this.#stream.cork();
        for (const [i, part] of parts.entries()) {
          const last = i === parts.length - 1;
          this.#stream.write(part, (error) => {
            if (error) reject(error);
            if (!last) return;
            this.#stream.off('close', reject);
            resolve();
          });
        }
        this.#stream.uncork();
      });
    } catch (error) {
      throw this.#broken(error as Error | undefined);
    }
  }

  /** Waits until reading would not wait any more, or for `ms`. */
  async inputWithin(ms: number): Promise<boolean> {
    await this.#input(clock() + ms, true).catch(() => {});
    return this.hasInput;
  }

  /** Closes our side, gives the peer time to read our last message, then cuts the connection. */
  async close(): Promise<void> {
    this.#closing = true;
    if (!this.#stream.destroyed) {
      this.#stream.end();
      this.#stream.resume();
      await new Promise<void>((resolve) => {
        const timer = after(FAREWELL_MS, resolve);
        const done = () => {
          stopTimer(timer);
          resolve();
        };
        this.#stream.once('close', done).once('end', done);
        if (this.#ended || this.#stream.destroyed) done();
      });
    }
    this.#stream.destroy();
  }

  /** Cuts the connection at once. */
  destroy(): void {
    this.#stream.destroy();
  }

  #take(most: number): Uint8Array {
    const chunk = this.#chunks[0];
    const part = chunk.subarray(0, most);
    if (part.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(part.length);
    this.#buffered -= part.length;
    if (this.#paused && this.#buffered < READ_AHEAD / 2) {
      this.#paused = false;
      this.#stream.resume();
    }
    return part;
  }

  /** Waits for bytes or the end. */
  async #input(deadline?: number, evenIfInterrupted = false): Promise<void> {
    while (!this.hasInput) {
      if (this.#signal?.aborted && !evenIfInterrupted) throw new InterruptedError();
      const left = deadline === undefined ? undefined : deadline - clock();
      if (left !== undefined && left <= 0)
        throw new EnvironmentError('peer-silent', `Cannot read from ${this.name}: it sent nothing in time`);
      await this.#woken(left);
    }
    if (this.#buffered === 0 && this.#error) throw this.#broken(this.#error);
  }

  #woken(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : after(ms, resolve);
      this.#wake = () => {
        stopTimer(timer);
        resolve();
      };
    });
  }

  #keep(chunk: Uint8Array): void {
    if (this.#closing) return;
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered >= READ_AHEAD) {
      this.#paused = true;
      this.#stream.pause();
    }
    if (this.#waking) return;
    this.#waking = true;
    // The reader is woken once for all chunks that are ready, so that they are checked and written together.
    world.time.turn(() => {
      this.#waking = false;
      this.#wake();
    });
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  #broken(cause: Error | undefined): EnvironmentError {
    const error = new EnvironmentError(
      'connection-lost',
      `Cannot go on with ${this.name}: ${cause ? networkWords(cause) : 'the connection broke'}`,
    );
    error.cause = cause;
    return error;
  }
}

function lineOf(numbers: readonly number[], ended: boolean): Line {
  const bytes = Buffer.from(numbers);
  return { text: bytes.toString('utf8', 0, ended ? bytes.length - 1 : bytes.length), ended, bytes };
}
