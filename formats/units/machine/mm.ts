import type { Cursor } from '../../binary/cursor.ts';
import { UnsupportedError } from '../../errors.ts';
import { type UnitRow, versions, whole } from '../codec/unit-row.ts';
import { mmCodec } from './codecs.ts';

/** Unit "mm", instance 1: sizes of the machine's memory. Source: MM.cpp, mmR3Save. */
export const MM_UNIT = { name: 'mm', instance: 1 } as const;

/** Contents of unit mm. */
export interface MemorySizes {
  /** Version 2: pages reserved; version 1: a size of unclear meaning. */
  basePages: number;
  /** Bytes of guest RAM. */
  ramSize: number;
}

/** Loaders compare only the upper 16 bits of the version; the lower 16 tell the width of the fields. */
export function readMm(cursor: Cursor, version: number): MemorySizes {
  if (version >>> 16 !== 0)
    throw new UnsupportedError(
      'unsupported-version',
      `Cannot read unit mm: version ${version}`,
      {},
      'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION',
    );
  const field = () => (version === 1 ? cursor.u32() : cursor.u64());
  return { basePages: field(), ramSize: field() };
}

const row: UnitRow = {
  unit: MM_UNIT.name,
  instance: MM_UNIT.instance,
  everyPass: true,
  facts: whole((cursor, { version }) => ({ mm: readMm(cursor, version) })),
};

export const mmRows: readonly UnitRow[] = [{ ...row, versions: versions(2), codec: mmCodec }, row];
