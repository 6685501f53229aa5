import { FormatError, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type UnitHeader, unitLabel } from '../../../formats/ssm/container.ts';
import type { UnitField } from '../../../formats/units/codec/decode.ts';
import { decodeUnit } from '../../../formats/units/table.ts';
import { findUnit } from '../layout/unit-choice.ts';
import { walkState } from '../reading/walk.ts';
import { payloadOf } from './unit-payload.ts';

/** One unit, field by field. */
export interface UnitContents {
  /** VirtualBox's name of the unit. */
  name: string;
  /** Tells units of one name apart. */
  instance: number;
  /** Version of the layout. */
  version: number;
  /** Bytes of the decoded payload. */
  size: number;
  /** Bytes whose layout savkit does not know. */
  opaqueSize: number;
  /** In file order. */
  fields: readonly UnitField[];
}

/**
 * Decodes one unit of a state. @param unit `name` or `name/instance`
 * @throws UsageError for a missing unit; UnsupportedError for a unit of unknown layout; FormatError
 */
export async function describeUnitContents(
  source: ByteSource,
  unit: string,
  signal?: AbortSignal,
): Promise<UnitContents> {
  const options = signal ? { signal } : {};
  const found = findUnit(await walkState(source, { ...options, skipCrc: true }), unit);
  const bytes = await payloadOf(source, found, options);
  const { name, instance, version } = found;
  const decoded = decoding(found, bytes);
  if (!decoded)
    throw new UnsupportedError(
      'not-decoded',
      `Cannot decode unit ${unitLabel(found)}: the layout of its version ${version} is not known`,
    );
  return { name, instance, version, size: bytes.length, ...decoded };
}

function decoding(unit: UnitHeader, payload: Uint8Array) {
  try {
    return decodeUnit(unit, payload);
  } catch (error) {
    throw error instanceof FormatError ? error.at({ unit: unit.name, instance: unit.instance }) : error;
  }
}
