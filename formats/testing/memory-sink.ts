import type { ReadableSink } from '../files/sink.ts';
import { type ByteSource, bufferSource } from '../files/source.ts';

/** A sink in memory. */
export class MemorySink implements ReadableSink {
  bytes: Uint8Array = new Uint8Array(1 << 16);
  length = 0;

  async write(bytes: Uint8Array): Promise<void> {
    await this.writeAt(bytes, this.length);
  }

  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    const end = position + bytes.length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(bytes, position);
    this.length = Math.max(this.length, end);
  }

  async truncate(size: number): Promise<void> {
    this.length = size;
  }

  async readBack(): Promise<ByteSource> {
    return bufferSource(this.view());
  }

  /** The bytes that were written. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}
