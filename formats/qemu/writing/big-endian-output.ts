import type { ByteSink } from '../../files/sink.ts';
import { returnBuffer, takeBuffer } from '../../kernels/arena.ts';
import { MIB, TWO_32 } from '../../sizes.ts';

const CAPACITY = MIB;

/** Collects big-endian values, and hands them to a sink in pieces of up to a mebibyte. */
export class BigEndianOutput {
  /** Buffer of values until they are handed on. */
  readonly target = takeBuffer(CAPACITY);
  /** Index in `target` of the next value. */
  length = 0;
  readonly #sink: ByteSink;
  readonly #view = new DataView(this.target.buffer, this.target.byteOffset, CAPACITY);
  #passed = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Total number of bytes so far, including those in the buffer. */
  get offset(): number {
    return this.#passed + this.length;
  }

  /** Whether so many bytes fit without `flush`. */
  hasRoom(count: number): boolean {
    return this.length + count <= CAPACITY;
  }

  /** Writes the buffer to the sink. */
  async flush(): Promise<void> {
    if (this.length === 0) return;
    await this.#sink.write(this.target.subarray(0, this.length));
    this.#passed += this.length;
    this.length = 0;
  }

  /** Gives the memory back. */
  release(): void {
    returnBuffer(this.target);
  }

  u8(value: number): void {
    this.target[this.length++] = value;
  }
  u16(value: number): void {
    this.#view.setUint16(this.length, value);
    this.length += 2;
  }
  u32(value: number): void {
    this.#view.setUint32(this.length, value);
    this.length += 4;
  }
  /** Appends 8 bytes; exact up to 2^53; -1 stands for all ones. */
  u64(value: number): void {
    this.u32(Math.floor(value / TWO_32));
    this.u32(value);
  }
  /** Appends a `str8`: a length of one byte, and as many bytes of text. */
  name(text: string): void {
    this.u8(text.length);
    this.text(text);
  }
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i));
  }

  /** Writes any number of bytes. */
  async bytes(source: Uint8Array): Promise<void> {
    for (let done = 0; done < source.length; ) {
      if (!this.hasRoom(1)) await this.flush();
      const part = source.subarray(done, done + CAPACITY - this.length);
      this.target.set(part, this.length);
      this.length += part.length;
      done += part.length;
    }
  }
}
