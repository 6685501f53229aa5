import type { ByteSink } from '../../files/sink.ts';
import { TurnedBuffers } from '../../files/turned-buffers.ts';
import { KIB, TWO_32 } from '../../sizes.ts';

const CAPACITY = 512 * KIB;

/** Collects big-endian values, and hands them to a sink in pieces of up to half a mebibyte. */
export class BigEndianOutput {
  readonly #buffers = new TurnedBuffers(CAPACITY);
  /** Where values stand until they are handed on; another one after each `makeRoom` and `flush`. */
  target = this.#buffers.bytes;
  /** Index in `target` of the next value. */
  length = 0;
  readonly #sink: ByteSink;
  #view = viewOf(this.target);
  #passed = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Total number of bytes so far, including those in the buffer. */
  get offset(): number {
    return this.#passed + this.length;
  }

  /** Whether so many bytes fit without `makeRoom`. */
  hasRoom(count: number): boolean {
    return this.length + count <= CAPACITY;
  }

  /** Begins to hand on all values that wait here. @throws whatever the sink threw at those before */
  async makeRoom(): Promise<void> {
    const { length } = this;
    if (length === 0) return;
    await this.#buffers.write((bytes) => this.#sink.write(bytes.subarray(0, length)));
    this.target = this.#buffers.bytes;
    this.#view = viewOf(this.target);
    this.#passed += length;
    this.length = 0;
  }

  /** Writes the buffer to the sink. */
  async flush(): Promise<void> {
    await this.makeRoom();
    await this.#buffers.settle();
  }

  /** Gives the memory back. */
  release(): void {
    this.#buffers.release();
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
  /** Exact up to 2^53; -1 stands for all ones. */
  u64(value: number): void {
    this.u32(Math.floor(value / TWO_32));
    this.u32(value);
  }
  /** `str8`: a length of one byte and as many bytes of text. */
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
      if (!this.hasRoom(1)) await this.makeRoom();
      const part = source.subarray(done, done + CAPACITY - this.length);
      this.target.set(part, this.length);
      this.length += part.length;
      done += part.length;
    }
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
