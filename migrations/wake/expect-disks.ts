import { UnsupportedError } from '../../formats/errors.ts';
import { count, list, optional, record, text, withDefault } from '../../formats/values/shape.ts';
import type { DiskImage } from '../../src/wake/prepare.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';

const SECTOR = 512;

const nodeList = list(
  record({ 'node-name': withDefault(text(1024), ''), image: optional(record({ 'virtual-size': count })) }),
  1024,
);

/**
 * Checks that the images have the sizes of the guest's disks, and closes them. @throws UnsupportedError `not-wakeable`
 */
export async function expectDisks(qmp: QmpClient, images: readonly DiskImage[]): Promise<void> {
  if (images.length === 0) return;
  const nodes = await qmp.ask('query-named-block-nodes', nodeList);
  for (const { node, drive } of images) {
    const size = nodes.find((each) => each['node-name'] === node)?.image?.['virtual-size'];
    if (size !== undefined && size !== drive.sectors * SECTOR)
      throw new UnsupportedError(
        'not-wakeable',
        `Cannot wake: the guest's disk at ${drive.place} has ${drive.sectors * SECTOR} bytes, the given file has ` +
          `${size}; give the image that the machine had when it was saved`,
      );
    await qmp.execute('blockdev-del', { 'node-name': node });
  }
}
