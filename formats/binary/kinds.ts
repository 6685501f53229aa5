import { FormatError, hex } from '../errors.ts';
import type { Cursor, Widths } from './cursor.ts';
import type { Writer } from './writer.ts';

/** Encoding of one kind of field. */
export interface Kind<T> {
  /** Name in the tables of FORMAT.md. */
  readonly name: string;
  /** Size of a value in bytes; NaN where it depends on the value. */
  size(widths: Widths): number;
  /** Reads a value. @throws OutOfBytes */
  read(cursor: Cursor): T;
  /** Appends a value. */
  write(writer: Writer, value: T): void;
  /** A value as text for people; absent if the value itself is readable. */
  show?(value: T): string;
  /** The parts of a composite value, in file order. */
  parts?(value: T): readonly ValuePart[];
}

/** A part of a composite value. */
export interface ValuePart {
  /** Absent for an element of a list. */
  name?: string;
  /** Meaning; empty where the name says enough. */
  doc: string;
  /** Encoding of the value. */
  kind: Kind<unknown>;
  /** As `kind` reads it. */
  value: unknown;
}

export const u8: Kind<number> = { name: 'u8', size: () => 1, read: (c) => c.u8(), write: (w, v) => w.u8(v) };
export const u16: Kind<number> = { name: 'u16', size: () => 2, read: (c) => c.u16(), write: (w, v) => w.u16(v) };
export const u32: Kind<number> = { name: 'u32', size: () => 4, read: (c) => c.u32(), write: (w, v) => w.u32(v) };
/** Read as a number: exact up to 2^53. */
export const u64: Kind<number> = { name: 'u64', size: () => 8, read: (c) => c.u64(), write: (w, v) => w.u64(v) };
/** Read as a bigint: for masks and patterns that use all 64 bits. */
export const mask64: Kind<bigint> = {
  name: 'u64',
  size: () => 8,
  read: (c) => c.bigU64(),
  write: (w, v) => w.bigU64(v),
};
/** VirtualBox takes any value but 0 as true. */
export const bool: Kind<boolean> = {
  name: 'bool',
  size: () => 1,
  read: (c) => c.u8() !== 0,
  write: (w, v) => w.u8(v ? 1 : 0),
};
export const bool32: Kind<boolean> = {
  name: 'u32 bool',
  size: () => 4,
  read: (c) => c.u32() !== 0,
  write: (w, v) => w.u32(v ? 1 : 0),
};

/** Guest-physical address or size, as wide as the header says. */
export const gcPhys: Kind<number> = {
  name: 'GCPhys',
  size: (widths) => widths.gcPhys,
  read: (c) => (c.widths.gcPhys === 8 ? c.u64() : c.u32()),
  write: (w, v) => (w.widths.gcPhys === 8 ? w.u64(v) : w.u32(v)),
};

/** Guest-physical bit mask. A 4-byte mask is widened with ones. */
export const gcPhysMask: Kind<bigint> = {
  name: 'GCPhys',
  size: (widths) => widths.gcPhys,
  read: (c) => (c.widths.gcPhys === 8 ? c.bigU64() : BigInt(c.u32()) | 0xffffffff_00000000n),
  write: (w, v) => (w.widths.gcPhys === 8 ? w.bigU64(v) : w.u32(Number(v & 0xffffffffn))),
};

/** Guest-virtual address (GCPtr, GCUIntPtr), as wide as the header says. */
export const gcPtr: Kind<bigint> = {
  name: 'GCPtr',
  size: (widths) => widths.gcPtr,
  read: (c) => (c.widths.gcPtr === 8 ? c.bigU64() : BigInt(c.u32())),
  write: (w, v) => (w.widths.gcPtr === 8 ? w.bigU64(v) : w.u32(Number(v & 0xffffffffn))),
};

/** `count` bytes as they are; a copy, owned by the caller. */
export function bytes(count: number): Kind<Uint8Array> {
  return { name: `${count} bytes`, size: () => count, read: (c) => c.view(count).slice(), write: (w, v) => w.bytes(v) };
}

/** `count` values of one kind. */
export function array<T>(kind: Kind<T>, count: number): Kind<T[]> {
  return {
    name: `${count} × ${kind.name}`,
    size: (widths) => count * kind.size(widths),
    read: (c) => Array.from({ length: count }, () => kind.read(c)),
    write: (w, values) => {
      for (const value of values) kind.write(w, value);
    },
    parts: (values) => values.map((value) => ({ doc: '', kind: kind as Kind<unknown>, value })),
  };
}

const utf8 = new TextDecoder();

/**
 * `u32` length, then text of that many bytes, without NUL. @param limit size of the loader's buffer; the text must be
 * shorter
 */
export function text(limit: number): Kind<string> {
  return {
    name: `string < ${limit}`,
    size: () => Number.NaN,
    read: (c) => {
      const length = c.u32();
      if (length >= limit)
        throw new FormatError(
          'too-long',
          `Cannot read string: ${length} bytes, expected fewer than ${limit}`,
          {},
          'VERR_TOO_MUCH_DATA',
        );
      return utf8.decode(c.view(length));
    },
    write: (w, value) => {
      const encoded = new TextEncoder().encode(value);
      w.u32(encoded.length);
      w.bytes(encoded);
    },
  };
}

/** A required constant, which is checked, and is no part of the value. */
export function marker(value: number, vboxCode: string): Kind<void> {
  return {
    name: `u32 = ${hex(value)}`,
    size: () => 4,
    read: (c) => {
      const found = c.u32();
      if (found !== value)
        throw new FormatError('bad-marker', `Cannot read marker: ${hex(found)}, expected ${hex(value)}`, {}, vboxCode);
    },
    write: (w) => w.u32(value),
  };
}
