/** Bytes that `RTGCPHYS` and `RTGCPTR` take in a file; its header says so. */
export interface Widths {
  gcPhys: 4 | 8;
  gcPtr: 4 | 8;
}

export const WIDE: Widths = { gcPhys: 8, gcPtr: 8 };

/**
 * A reader ran past the bytes that are there. Whoever holds the source fetches more and starts again, or says
 * `truncated`.
 */
export class OutOfBytes extends Error {
  /** At least so many bytes are needed, counted from the start of the cursor's range. */
  readonly needed: number;
  constructor(needed: number) {
    super(`${needed} bytes needed`);
    this.needed = needed;
  }
}

/** Reads little-endian values from a range of bytes, front to back. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly widths: Widths;
  readonly start: number;
  readonly end: number;
  at: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, widths: Widths = WIDE) {
    this.bytes = bytes;
    this.start = start;
    this.at = start;
    this.end = end;
    this.widths = widths;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Steps over `count` bytes; gives where they start. */
  take(count: number): number {
    const at = this.at;
    if (at + count > this.end) throw new OutOfBytes(at + count - this.start);
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.take(1)];
  }
  u16(): number {
    return this.#view.getUint16(this.take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.take(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.take(4), true);
  }
  /** Exact up to 2^53; larger values lose low bits but stay larger than any size or address that passes a check. */
  u64(): number {
    const at = this.take(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
  }
  bigU64(): bigint {
    return this.#view.getBigUint64(this.take(8), true);
  }
  /** Borrowed: a view of the underlying bytes. */
  view(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }
}
