import { TWO_32 } from '../sizes.ts';
/** Bytes of `RTGCPHYS` and `RTGCPTR` in a file, as its header tells. */
export interface Widths {
  /** Bytes of a guest-physical address. */
  gcPhys: 4 | 8;
  /** Bytes of a guest-virtual address. */
  gcPtr: 4 | 8;
}

export const WIDE: Widths = { gcPhys: 8, gcPtr: 8 };

/** A reader ran past the bytes that are there. The caller fetches more and starts again, or reports `truncated`. */
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
  /** The bytes that are read, borrowed. */
  readonly bytes: Uint8Array;
  /** Bytes of addresses in the file of the bytes. */
  readonly widths: Widths;
  /** Index of the first byte of the range. */
  readonly start: number;
  /** Index after the last byte of the range. */
  readonly end: number;
  /** Index of the next byte. */
  at: number;
  readonly #view: DataView;

  /** @param start index of the first byte @param end index after the last one */
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

  /** The next byte. @throws OutOfBytes, as all methods that read */
  u8(): number {
    return this.bytes[this.take(1)];
  }
  /** The next 2 bytes, unsigned. */
  u16(): number {
    return this.#view.getUint16(this.take(2), true);
  }
  /** The next 4 bytes, unsigned. */
  u32(): number {
    return this.#view.getUint32(this.take(4), true);
  }
  /** The next 4 bytes, signed. */
  i32(): number {
    return this.#view.getInt32(this.take(4), true);
  }
  /** Exact up to 2^53; larger values lose low bits but stay larger than any size or address that passes a check. */
  u64(): number {
    const at = this.take(8);
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * TWO_32;
  }
  /** The next 8 bytes, unsigned, exact. */
  bigU64(): bigint {
    return this.#view.getBigUint64(this.take(8), true);
  }
  /** Borrowed: a view of the underlying bytes. */
  view(count: number): Uint8Array {
    const at = this.take(count);
    return this.bytes.subarray(at, at + count);
  }
}
