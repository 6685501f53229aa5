import { type Cursor, OutOfBytes } from '../../binary/cursor.ts';
import { array, bytes, type Kind, mask64, u8, u16, u32 } from '../../binary/kinds.ts';
import { END_OF_LIST } from '../../binary/markers.ts';
import type { Field, Struct } from '../../binary/struct.ts';
import { hex, tooMany } from '../../errors.ts';

// Kinds of fields that units are made of, beside those of formats/binary. Source: docs/spec/device-units.md.

export const s32: Kind<number> = { name: 's32', size: () => 4, read: (c) => c.i32(), write: (w, v) => w.u32(v >>> 0) };
export const s64: Kind<bigint> = {
  name: 's64',
  size: () => 8,
  read: (c) => BigInt.asIntN(64, c.bigU64()),
  write: (w, v) => w.bigU64(BigInt.asUintN(64, v)),
};

/** A number that is shown as hexadecimal. */
function inHex<T extends number | bigint>(kind: Kind<T>): Kind<T> {
  return { ...kind, show: hex };
}
export const x8 = inHex(u8);
export const x16 = inHex(u16);
export const x32 = inHex(u32);
export const x64 = inHex(mask64);

/** A number with a name for each known value; others are kept as numbers. */
export function oneOf(kind: Kind<number>, names: Readonly<Record<number, string>>): Kind<number> {
  return { ...kind, show: (value) => (Object.hasOwn(names, value) ? names[value] : String(value)) };
}

/** One structure inside another. */
export function nested<T>(struct: Struct<T>, version = 0): Kind<T> {
  return {
    name: struct.name,
    size: (widths) => struct.size(version, widths),
    read: (c) => struct.read(c, version),
    write: (w, value) => struct.write(w, value, version),
    parts: (value) => struct.parts(value, version),
  };
}

/** Maximum number of entries of a list in a unit. */
const MAX_COUNT = 65536;

/** `count` values of one kind; the count comes from the file. */
export function list<T>(kind: Kind<T>, count: number): Kind<T[]> {
  if (count > MAX_COUNT) throw tooMany(`entries of kind ${kind.name}`, MAX_COUNT);
  return array(kind, count);
}

/** Values of one kind as long as there are more. */
function repeated<T>(kind: Kind<T>, upTo: string, hasMore: (c: Cursor) => boolean): Kind<T[]> {
  return {
    ...array(kind, 0),
    name: `${kind.name}, up to ${upTo}`,
    size: () => Number.NaN,
    read: (c) => {
      const values: T[] = [];
      while (hasMore(c)) {
        if (values.length >= MAX_COUNT) throw tooMany(`entries of kind ${kind.name}`, MAX_COUNT);
        values.push(kind.read(c));
      }
      return values;
    },
    write: (w, values) => {
      for (const value of values) kind.write(w, value);
    },
  };
}

/** Reads a value without consuming it. */
function peek<T>(c: Cursor, kind: Kind<T>): T {
  const at = c.at;
  const value = kind.read(c);
  c.at = at;
  return value;
}

/** Values up to the last `tail` bytes of the unit. */
export function fill<T>(kind: Kind<T>, tail = 0): Kind<T[]> {
  return repeated(kind, 'the end', (c) => c.end - c.at > tail);
}

/** Entries up to the mark that ends them; none of them starts with it. */
export function untilMark<T>(entry: Kind<T>): Kind<T[]> {
  const entries = repeated(entry, String(END_OF_LIST), (c) => peek(c, u32) !== END_OF_LIST);
  return {
    ...entries,
    read: (c) => {
      const values = entries.read(c);
      u32.read(c);
      return values;
    },
    write: (w, values) => {
      entries.write(w, values);
      w.u32(END_OF_LIST);
    },
  };
}

/** Entries up to a mark of 64 bits, which is a field of its own; none of them starts with it. */
export function beforeMark<T>(entry: Kind<T>, mark: bigint): Kind<T[]> {
  return repeated(entry, hex(mark), (c) => peek(c, mask64) !== mark);
}

/** Text in a field of a fixed size, which ends at the first NUL. */
export function fixedText(size: number): Kind<Uint8Array> {
  return { ...bytes(size), show: (value) => Buffer.from(value).toString('latin1').split('\0')[0] };
}

/** A value that is there only under a condition. */
export function maybe<T>(kind: Kind<T>, isThere: boolean): Kind<T | undefined> {
  return isThere ? (kind as Kind<T | undefined>) : NOTHING;
}
const NOTHING: Kind<undefined> = {
  name: 'nothing',
  size: () => 0,
  read: () => undefined,
  write: () => {},
  parts: () => [],
};

/** Bytes that are not decoded: the rest of the unit but for its last `tail` bytes. */
export function opaque(tail = 0): Kind<Uint8Array> {
  return {
    name: 'not decoded',
    size: () => Number.NaN,
    read: (c) => {
      if (c.end - c.at < tail) throw new OutOfBytes(c.at + tail - c.start);
      return c.view(c.end - c.at - tail).slice();
    },
    write: (w, value) => w.bytes(value),
    show: (value) => `${value.length} bytes that are not decoded`,
  };
}

/** `u32` length and so many bytes. */
export const queue: Kind<Uint8Array> = {
  name: 'u32 length, bytes',
  size: () => Number.NaN,
  read: (c) => c.view(c.u32()).slice(),
  write: (w, value) => {
    w.u32(value.length);
    w.bytes(value);
  },
};

/** A timer of a device; its time is by the clock that the device has chosen, in nanoseconds. */
export interface Timer {
  /** 4 stopped, 7 active; some builds of 2009 wrote 5 and 8 instead. */
  state: number;
  expires?: bigint;
}
export const timer: Kind<Timer> = {
  name: 'timer',
  size: () => Number.NaN,
  read: (c) => {
    const state = c.u8();
    return isActive(state) ? { state, expires: c.bigU64() } : { state };
  },
  write: (w, { state, expires }) => {
    w.u8(state);
    if (expires !== undefined) w.bigU64(expires);
  },
  show: ({ state, expires }) =>
    expires === undefined ? (isStopped(state) ? 'stopped' : `state ${state}`) : `expires at ${expires} ns`,
};
const isActive = (state: number) => state === 7 || state === 8;
const isStopped = (state: number) => state === 4 || state === 5;

/** A status light of a disk drive. */
export const led = { kind: bytes(16), doc: 'status light' };

/** Several fields of one kind, in this order. @param since the first version that has them */
export function fields<T, const N extends string>(
  kind: Kind<T>,
  names: readonly N[],
  doc = '',
  since?: number,
): Record<N, Field<T> & { kind: Kind<T> }> {
  return Object.fromEntries(names.map((name) => [name, { kind, doc, since }])) as Record<
    N,
    Field<T> & { kind: Kind<T> }
  >;
}
