import { separator } from '../../binary/markers.ts';
import { defineStruct, startOf } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { isaConfig } from '../codec/device-config.ts';
import { fields, s32, x8, x32 } from '../codec/kinds.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';

const parallel = defineStruct('Unit parallel, version 1', 'device-units.md', {
  ...fields(x8, ['data', 'status', 'control']),
  irq: { kind: s32, doc: 'interrupt; compared with the machine' },
  port: { kind: x32, doc: 'first I/O port; compared with the machine' },
  separator,
});

const compared = startOf(parallel, 'port');

export const parallelCodec = codecOf(parallel);

export const parallelRow = comparedRow(
  'parallel',
  versions(1),
  (cursor) => {
    const { irq = 0, port } = compared.read(cursor);
    return isaConfig(irq, port);
  },
  parallelCodec,
);
