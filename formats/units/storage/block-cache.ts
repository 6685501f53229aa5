import { u32 } from '../../binary/kinds.ts';
import { SEPARATOR_SIZE, separator } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { opaque } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const blockCache = defineStruct('Unit pdmblkcache, version 1', 'device-units.md', {
  users: { kind: u32, doc: 'users of the cache: devices whose disks are cached by block' },
  blocks: { kind: opaque(SEPARATOR_SIZE), doc: 'blocks of each user; nothing where there are no users' },
  separator,
});

/** Blocks of disks that had not reached the disk when the machine was saved. */
export const blockCacheRow: UnitRow = {
  unit: 'pdmblkcache',
  instance: 0,
  versions: versions(1),
  codec: codecOf(blockCache),
};
