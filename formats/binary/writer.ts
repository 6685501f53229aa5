import { WIDE, type Widths } from './cursor.ts';

/**
 * Collects little-endian values, and bytes in pieces of any size, in a buffer that grows. For headers, structures and
 * payloads, not for page contents. Pieces kept one by one would take a hundred times the memory of tiny ones.
 */
export class Writer {
  /** Sizes of addresses in bytes. */
  readonly widths: Widths;
  /** Bytes written so far. */
  length = 0;
  #bytes: Uint8Array;
  #view: DataView;

  /** @param capacity bytes to begin with */
  constructor(widths: Widths = WIDE, capacity = 256) {
    this.widths = widths;
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Appends a byte. */
  u8(value: number): void {
    const at = this.#grow(1);
    this.#bytes[at] = value;
  }
  /** Appends 2 bytes. */
  u16(value: number): void {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
  }
  /** Appends 4 bytes. */
  u32(value: number): void {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
  }
  /** Appends 8 bytes; exact up to 2^53. */
  u64(value: number): void {
    this.bigU64(BigInt(value));
  }
  /** Appends 8 bytes. */
  bigU64(value: bigint): void {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value, true);
  }
  /** Appends bytes as they are. */
  bytes(source: Uint8Array): void {
    const at = this.#grow(source.length);
    this.#bytes.set(source, at);
  }

  /** The bytes written so far; borrowed until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #grow(count: number): number {
    const at = this.length;
    this.length += count;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.length, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
