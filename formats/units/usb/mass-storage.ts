import { bool, bytes, u8, u32 } from '../../binary/kinds.ts';
import { separator } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, maybe, nested, x8 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const COMMAND_BLOCK = 31;

const request = defineStruct('Request, Msd version 2', 'device-units.md', {
  state: { kind: u32, doc: '' },
  size: { kind: u32, doc: 'bytes' },
  data: { kind: ({ size }: { size: number }) => bytes(size), doc: '' },
  offset: { kind: u32, doc: 'bytes that have been moved' },
  command: { kind: bytes(COMMAND_BLOCK), doc: 'command block as the guest sent it' },
  status: { kind: x8, doc: '' },
});

const massStorage = defineStruct('Unit Msd, version 2', 'device-units.md', {
  attached: { kind: bool, doc: 'a disk or drive is attached; compared with the machine' },
  configuration: { kind: u8, doc: 'number of the configuration that the guest has chosen' },
  ...fields(bool, ['controlHalted', 'outHalted', 'inHalted'], 'state of the end point'),
  hasRequest: { kind: bool, doc: '' },
  request: {
    kind: ({ hasRequest }: { hasRequest: boolean }) => maybe(nested(request), hasRequest),
    doc: 'request that is being done',
  },
  separator,
});

/** A disk or drive on USB. */
export const massStorageRow: UnitRow = { unit: 'Msd', versions: versions(2), codec: codecOf(massStorage) };
