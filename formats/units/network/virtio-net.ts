import { array, bool, bytes, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, list, nested, x8, x16, x64 } from '../codec/kinds.ts';
import { toldFacts, type UnitRow, versions } from '../codec/unit-row.ts';
import { virtioDevice } from '../codec/virtio.ts';
import { MAC_SIZE, macText } from './codecs.ts';

const VLAN_BYTES = 4096;
const macs = (count: number) => list(bytes(MAC_SIZE), count);

const virtioNet = defineStruct('Unit virtio-net, version 1', 'device-units.md', {
  noMac: { kind: bytes(MAC_SIZE), doc: 'six bytes FF, where releases before 7.0 had the address' },
  features: { kind: x64, doc: 'features that device and guest have agreed on' },
  queueCount: { kind: u16, doc: '' },
  workers: { kind: u16, doc: '' },
  attached: {
    kind: ({ queueCount }: { queueCount: number }) => array(bool, queueCount),
    doc: 'the queue is in use',
  },
  mac: { kind: bytes(MAC_SIZE), doc: 'address' },
  status: { kind: x16, doc: 'bit 0: the link is up' },
  maxPairs: { kind: u16, doc: 'pairs of queues' },
  cableConnected: { kind: bool, doc: '' },
  ...fields(
    x8,
    ['promiscuous', 'allMulticast', 'allUnicast', 'noMulticast', 'noUnicast', 'noBroadcast'],
    'frames that the guest gets',
  ),
  multicastCount: { kind: u32, doc: '' },
  multicast: { kind: ({ multicastCount }: { multicastCount: number }) => macs(multicastCount), doc: 'addresses' },
  unicastCount: { kind: u32, doc: '' },
  unicast: { kind: ({ unicastCount }: { unicastCount: number }) => macs(unicastCount), doc: 'addresses' },
  vlans: { kind: bytes(VLAN_BYTES), doc: 'a bit for each VLAN that the guest gets' },
  device: { kind: nested(virtioDevice), doc: '' },
});

const virtioNetCodec = codecOf(virtioNet);

export const virtioNetRow: UnitRow = {
  unit: 'virtio-net',
  versions: versions(1),
  codec: virtioNetCodec,
  facts: toldFacts(virtioNetCodec, ({ mac }) => ({ model: 'virtio', mac: macText(mac) })),
};
