import { UnsupportedError } from '../../formats/errors.ts';
import { count, list, optional, record, text, withDefault } from '../../formats/values/shape.ts';
import type { Drive } from '../../src/wake/drives.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';

const SECTOR = 512;

const blockList = list(
  record({
    device: withDefault(text(1024), ''),
    inserted: optional(record({ image: optional(record({ 'virtual-size': count })) })),
  }),
  1024,
);

/** Makes sure that the disks are as large as the guest knows them. @throws UnsupportedError `not-wakeable` */
export async function expectDisks(qmp: QmpClient, drives: readonly Drive[]): Promise<void> {
  const blocks = await qmp.ask('query-block', blockList);
  for (const { place, kind, sectors } of drives) {
    const found = blocks.find(({ device }) => device === place.replace(':', '-'));
    const size = found?.inserted?.image?.['virtual-size'];
    if (kind !== 'disk' || size === undefined || size === sectors * SECTOR) continue;
    throw new UnsupportedError(
      'not-wakeable',
      `Cannot wake: the guest's disk at ${place} has ${sectors * SECTOR} bytes, the file that is given ` +
        `${size}; give the image that the machine had when it was saved`,
    );
  }
}
