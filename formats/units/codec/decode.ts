import { Cursor, OutOfBytes, WIDE } from '../../binary/cursor.ts';
import type { Kind } from '../../binary/kinds.ts';
import type { Struct } from '../../binary/struct.ts';
import { Writer } from '../../binary/writer.ts';
import { FormatError, UnsupportedError } from '../../errors.ts';
import { nested } from './kinds.ts';

/** One field of a decoded unit, or one element of a list in it. */
export interface UnitField {
  /** Path of the field, such as `ports[3].command`. */
  path: string;
  /** Bytes from the start of the payload. */
  offset: number;
  /** Bytes. */
  size: number;
  /** The value; numbers of 64 bits as hexadecimal text, bytes as pairs of digits, cut after the first `SHOWN_BYTES`. */
  value: number | string | boolean;
  /** The value as text for people. */
  text: string;
  /** Meaning; empty where the name says enough. */
  doc: string;
  /** The layout of these bytes is not known. */
  isOpaque: boolean;
}

/**
 * Reads a whole payload, and makes sure that the value, written back, gives the same bytes.
 * @throws FormatError `not-as-laid-out` for a payload that does not fit the layout
 */
export function decodeWhole<T>(layout: Struct<T>, payload: Uint8Array, version: number): T {
  const value = readWhole(layout, payload, version);
  if (value === undefined) throw notAsLaidOut(layout.name, 'it ends too early, or too late');
  if (!sameBytes(encodeWhole(layout, value, version), payload))
    throw notAsLaidOut(layout.name, 'its values, written back, give other bytes');
  return value;
}

function readWhole<T>(layout: Struct<T>, payload: Uint8Array, version: number): T | undefined {
  const cursor = new Cursor(payload);
  try {
    const value = layout.read(cursor, version);
    return cursor.at === cursor.end ? value : undefined;
  } catch (error) {
    if (error instanceof OutOfBytes) return undefined;
    if (error instanceof FormatError || error instanceof UnsupportedError)
      throw notAsLaidOut(layout.name, error.message);
    throw error;
  }
}

export function encodeWhole<T>(layout: Struct<T>, value: T, version: number): Uint8Array {
  const writer = new Writer();
  layout.write(writer, value, version);
  return writer.view();
}

/** All fields of a decoded unit, in file order. */
export function fieldsOf<T>(layout: Struct<T>, value: T, version: number): UnitField[] {
  const found: UnitField[] = [];
  visit(nested(layout, version) as Kind<unknown>, value, '', '', 0, found);
  return found;
}

/** @returns the offset after the value */
function visit(
  kind: Kind<unknown>,
  value: unknown,
  path: string,
  doc: string,
  offset: number,
  found: UnitField[],
): number {
  if (kind.parts) {
    let at = offset;
    for (const [i, part] of kind.parts(value).entries()) {
      const inner = part.name === undefined ? `${path}[${i}]` : path === '' ? part.name : `${path}.${part.name}`;
      at = visit(part.kind, part.value, inner, part.doc || doc, at, found);
    }
    return at;
  }
  const size = sizeOf(kind, value);
  // Markers have no value, and are not listed.
  if (value !== undefined)
    found.push({
      path,
      offset,
      size,
      value: plain(value),
      text: textOf(kind, value),
      doc,
      isOpaque: kind.name === 'not decoded',
    });
  return offset + size;
}

function sizeOf(kind: Kind<unknown>, value: unknown): number {
  const size = kind.size(WIDE);
  if (!Number.isNaN(size)) return size;
  const writer = new Writer();
  kind.write(writer, value);
  return writer.length;
}

function textOf(kind: Kind<unknown>, value: unknown): string {
  return kind.show?.(value) ?? String(plain(value));
}

/** Maximum number of bytes of a field that are shown. */
const SHOWN_BYTES = 64;

function plain(value: unknown): UnitField['value'] {
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return value < 0n ? String(value) : `0x${value.toString(16)}`;
  if (value instanceof Uint8Array)
    return Buffer.from(value.subarray(0, SHOWN_BYTES)).toString('hex') + (value.length > SHOWN_BYTES ? '…' : '');
  return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function notAsLaidOut(name: string, reason: string): FormatError {
  return new FormatError(
    'not-as-laid-out',
    `Cannot decode ${name}: ${reason}`,
    {},
    'VERR_SSM_DATA_UNIT_FORMAT_CHANGED',
  );
}
