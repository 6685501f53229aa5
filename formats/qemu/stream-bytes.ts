import type { Window } from '../files/window.ts';
import { TWO_32 } from '../sizes.ts';
import { Turns } from '../turns.ts';

const latin1 = new TextDecoder('latin1');

/**
 * Big-endian values from a window on a stream, front to back. Each read fetches the bytes that it lacks, which
 * invalidates references into the window.
 *
 * Reads give turns to other work, and end with the signal: one window holds a million fields of a byte.
 */
export class StreamBytes {
  readonly window: Window;
  readonly #turns: Turns;

  constructor(window: Window, signal?: AbortSignal) {
    this.window = window;
    this.#turns = Turns.rare(signal);
  }

  get offset(): number {
    return this.window.offset;
  }

  /** The next byte, without consuming it. */
  async peek(what: string): Promise<number> {
    await this.#need(1, what);
    return this.window.bytes[this.window.position];
  }
  async u8(what: string): Promise<number> {
    await this.#need(1, what);
    return this.window.bytes[this.window.position++];
  }
  async u16(what: string): Promise<number> {
    return this.window.view.getUint16(await this.#take(2, what));
  }
  async u32(what: string): Promise<number> {
    return this.window.view.getUint32(await this.#take(4, what));
  }
  /** The next 8 bytes; exact up to 2^53. */
  async u64(what: string): Promise<number> {
    const at = await this.#take(8, what);
    return this.window.view.getUint32(at) * TWO_32 + this.window.view.getUint32(at + 4);
  }
  /** Reads a `str8`: a length of one byte, and as many bytes of text. */
  async name(what: string): Promise<string> {
    return this.text(await this.u8(what), what);
  }
  async text(length: number, what: string): Promise<string> {
    const at = await this.#take(length, what);
    return latin1.decode(this.window.bytes.subarray(at, at + length));
  }
  /** A copy of `length` bytes, which may be more than the window holds. */
  async copy(length: number, what: string): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      await this.#need(1, what);
      const count = Math.min(length - done, this.window.available);
      bytes.set(this.window.bytes.subarray(this.window.position, this.window.position + count), done);
      this.window.position += count;
      done += count;
    }
    return bytes;
  }

  async #take(count: number, what: string): Promise<number> {
    await this.#need(count, what);
    const at = this.window.position;
    this.window.position += count;
    return at;
  }

  async #need(count: number, what: string): Promise<void> {
    if (this.#turns.areDue) await this.#turns.give();
    await this.window.need(count, what);
  }
}
