import { startOf } from '../../binary/struct.ts';
import { type DeviceConfig, numberedPlaces, placesConfig } from '../codec/device-config.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';
import { namespace, nvme, nvmeCodec } from './scsi-codecs.ts';

const head = startOf(nvme, 'more');

const MAX_NAMESPACES = 255;

export function nvmeConfig(namespaces: number, attached: ReadonlySet<number>): DeviceConfig {
  return {
    'number of namespaces': namespaces,
    ...placesConfig(numberedPlaces('namespace', Math.min(namespaces, MAX_NAMESPACES)), (i) => attached.has(i)),
  };
}

export const nvmeRow = comparedRow(
  'nvme',
  versions(3),
  (cursor) => {
    const { count = 0 } = head.read(cursor);
    const attached = new Set<number>();
    for (let i = 0; i < Math.min(count, MAX_NAMESPACES); i++) if (namespace.read(cursor).attached) attached.add(i);
    return nvmeConfig(count, attached);
  },
  nvmeCodec,
  ({ namespaces }) => ({
    media: namespaces.flatMap(({ attached }, i) => (attached ? [{ place: `namespace ${i}`, what: 'disk' }] : [])),
  }),
);
