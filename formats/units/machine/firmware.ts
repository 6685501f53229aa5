import { u8 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const pcbios = defineStruct('Unit pcbios, version 0', 'device-units.md', {
  begin,
  flag: { kind: u8, doc: '1 in every state seen; its meaning is not known' },
  end,
});

/** The BIOS, without its data in guest memory. */
export const firmwareRow: UnitRow = { unit: 'pcbios', instance: 0, versions: versions(0), codec: codecOf(pcbios) };
