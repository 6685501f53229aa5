import { FormatError, hex } from '../errors.ts';
import { badUnit } from './header-rules.ts';
import { PASS_FINAL, termRecord, unitHeaderV2 } from './layouts.ts';
import { RecordType } from './record-scanner.ts';
import { crcWithout } from './v2-tail.ts';

export const TERM_SIZE = termRecord.size();

/** The first fault of a unit header, in the loader's order of checks; undefined where there is none. */
export function judgeUnitHeader(
  raw: Uint8Array,
  fields: ReturnType<typeof unitHeaderV2.read>,
  isEnd: boolean,
  offset: number,
): FormatError | undefined {
  if (fields.nameSize > 0 && raw[raw.length - 1] !== 0) return badUnit(offset, 'name', 'its name is not terminated');
  if (crcWithout(raw, unitHeaderV2.offsets.crc) !== fields.crc) {
    return new FormatError(
      'bad-crc',
      `Cannot trust unit header at ${hex(offset)}: its CRC is wrong`,
      { offset, field: 'crc' },
      'VERR_SSM_INTEGRITY_CRC',
    );
  }
  if (fields.offset !== offset) return badUnit(offset, 'offset', `it claims offset ${hex(fields.offset)}`);
  if (fields.flags !== 0) return badUnit(offset, 'flags', `its flags are ${hex(fields.flags)}`);
  if (isEnd) {
    const { nameSize, instance, version, pass } = fields;
    if (nameSize || instance || version || pass !== PASS_FINAL)
      return badUnit(offset, 'name', 'the end unit has a name, instance, version or pass');
  } else if (fields.nameSize <= 1) {
    return new FormatError(
      'bad-unit',
      `Cannot trust unit header at ${hex(offset)}: it has no name`,
      { offset, field: 'nameSize' },
      'VERR_SSM_INTEGRITY',
    );
  }
  return undefined;
}

/** The first fault of the record that ends a unit; undefined where there is none. */
export function judgeTerm(
  fields: ReturnType<typeof termRecord.read>,
  recordsSize: number,
  offset: number,
): FormatError | undefined {
  const bad = (field: string, what: string) =>
    new FormatError(
      'bad-term',
      `Cannot trust end of unit at ${hex(offset)}: ${what}`,
      { offset, field },
      'VERR_SSM_INTEGRITY_REC_TERM',
    );
  if (fields.size !== TERM_SIZE - 2)
    return bad('size', `the record claims ${fields.size} bytes, expected ${TERM_SIZE - 2}`);
  if (fields.type !== (0x90 | RecordType.TERM)) return bad('type', 'the record is not marked important');
  if (fields.unitSize !== recordsSize)
    return bad('unitSize', `the unit claims ${fields.unitSize} bytes of records, there are ${recordsSize}`);
  if ((fields.flags & ~1) !== 0) return bad('flags', `its flags are ${hex(fields.flags)}`);
  if ((fields.flags & 1) === 0 && fields.streamCrc !== 0)
    return bad('streamCrc', 'it has a CRC that it says is not valid');
  return undefined;
}
