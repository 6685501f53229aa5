import { FormatError, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { type UnitHeader, unitLabel } from '../../../formats/ssm/container.ts';
import type { UnitField } from '../../../formats/units/codec/decode.ts';
import { decodeUnit } from '../../../formats/units/table.ts';
import { findUnit } from '../layout/unit-choice.ts';
import { walkState } from '../reading/walk.ts';

/** One unit, field by field. */
export interface UnitContents {
  name: string;
  instance: number;
  version: number;
  /** Bytes of the decoded payload. */
  size: number;
  /** Bytes whose layout savkit does not know. */
  opaqueSize: number;
  fields: readonly UnitField[];
}

/** Units of devices are smaller. */
const LIMIT = 256 * MIB;

/**
 * Decodes one unit of a state. @param unit `name` or `name/instance`
 * @throws UsageError for a unit that is not there; UnsupportedError for one whose layout is not known; FormatError
 */
export async function describeUnitContents(
  source: ByteSource,
  unit: string,
  signal?: AbortSignal,
): Promise<UnitContents> {
  const options = signal ? { signal } : {};
  const found = findUnit(await walkState(source, { ...options, skipCrc: true }), unit);
  const pieces: Uint8Array[] = [];
  let size = 0;
  const payload = {
    wants: ({ offset }: UnitHeader) => offset === found.offset,
    take: (piece: Uint8Array) => {
      size += piece.length;
      if (size > LIMIT)
        throw new UnsupportedError('too-long', `Cannot decode unit ${unitLabel(found)}: it is too large`);
      pieces.push(piece.slice());
    },
  };
  await walkState(source, { ...options, skipCrc: true, opaque: true, payload });
  const { name, instance, version } = found;
  const decoded = decoding(found, new Uint8Array(Buffer.concat(pieces)));
  if (!decoded)
    throw new UnsupportedError(
      'not-decoded',
      `Cannot decode unit ${unitLabel(found)}: the layout of its version ${version} is not known`,
    );
  return { name, instance, version, size, ...decoded };
}

function decoding(unit: UnitHeader, payload: Uint8Array) {
  try {
    return decodeUnit(unit, payload);
  } catch (error) {
    throw error instanceof FormatError ? error.at({ unit: unit.name, instance: unit.instance }) : error;
  }
}
