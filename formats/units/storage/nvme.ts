import { bool, bytes, text, u32, u64 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { type DeviceConfig, numberedPlaces, placesConfig } from '../codec/device-config.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';
import { nvmeCodec } from './scsi-codecs.ts';

const head = defineStruct('Start of unit nvme, version 3', 'units-compared.md', {
  limits: { kind: bytes(7), doc: 'the controller' },
  namespaces: { kind: u32, doc: 'number of namespaces, which settings call ports' },
  queues: { kind: u32, doc: '' },
  serialNumber: { kind: text(64), doc: '' },
  model: { kind: text(128), doc: '' },
  firmware: { kind: text(64), doc: '' },
  more: { kind: bytes(12), doc: '' },
});

const namespace = defineStruct('Namespace, nvme version 3', 'units-compared.md', {
  attached: { kind: bool, doc: 'a disk is attached' },
  blockSize: { kind: u64, doc: 'bytes' },
  blocks: { kind: u64, doc: '' },
});

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
    const { namespaces } = head.read(cursor);
    const attached = new Set<number>();
    for (let i = 0; i < Math.min(namespaces, MAX_NAMESPACES); i++) if (namespace.read(cursor).attached) attached.add(i);
    return nvmeConfig(namespaces, attached);
  },
  nvmeCodec,
);
