import { bool } from '../../binary/kinds.ts';
import { SEPARATOR_SIZE, separator } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fill } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const vmm = defineStruct('Unit vmm, version 4', 'device-units.md', {
  started: { kind: fill(bool, SEPARATOR_SIZE), doc: 'for each CPU from 1 on: the guest has started it' },
  separator,
});

export const vmmCodec = codecOf(vmm);
/** Unit vmm: the CPUs that the guest has started. */
export const vmmRow: UnitRow = { unit: 'vmm', instance: 1, versions: versions(4), codec: vmmCodec };
