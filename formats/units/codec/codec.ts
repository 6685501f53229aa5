import type { Struct } from '../../binary/struct.ts';
import { decodeWhole, encodeWhole, fieldsOf, type UnitField } from './decode.ts';

/** Reads, writes and describes the whole payload of a unit's final pass. */
export interface UnitCodec<T = unknown> {
  /** @throws FormatError `not-as-laid-out`, also where the value, written back, would give other bytes */
  decode(payload: Uint8Array, version: number): T;
  /** The payload of a decoded value, which may have been changed. */
  encode(value: T, version: number): Uint8Array;
  /** All fields of a value that `decode` gave, in file order. */
  fields(value: T, version: number): UnitField[];
}

/** The codec that a field table declares. */
export function codecOf<T>(layout: Struct<T>): UnitCodec<T> {
  return {
    decode: (payload, version) => decodeWhole(layout, payload, version),
    encode: (value, version) => encodeWhole(layout, value, version),
    fields: (value, version) => fieldsOf(layout, value, version),
  };
}
