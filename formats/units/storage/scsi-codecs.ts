import { array, bool, bytes, text, u32, u64 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { list, nested, oneOf, opaque } from '../codec/kinds.ts';

// Only the parts of these controllers that are compared with the machine are known.

const STATE = { kind: opaque(), doc: 'registers, queues and commands in flight' };

const lsiLogic = defineStruct('Units lsilogicscsi and lsilogicsas, version 6', 'units-compared.md', {
  type: { kind: oneOf(u32, { 0: 'SCSI', 1: 'SAS' }), doc: 'compared with the machine' },
  count: { kind: u32, doc: 'places for disks and drives; compared with the machine' },
  ports: { kind: u32, doc: 'compared with the machine' },
  attached: {
    kind: ({ count }: { count: number }) => list(bool, count),
    doc: 'a disk or drive is attached; compared with the machine',
  },
  rest: STATE,
});

const busLogicDevice = defineStruct('Device of a BusLogic controller, buslogic version 5', 'units-compared.md', {
  attached: { kind: bool, doc: 'a disk or drive is attached; compared with the machine' },
  requests: { kind: u32, doc: 'pending requests' },
});

const busLogic = defineStruct('Unit buslogic, version 5', 'units-compared.md', {
  devices: { kind: array(nested(busLogicDevice), 16), doc: '' },
  rest: STATE,
});

export const namespace = defineStruct('Namespace, nvme version 3', 'units-compared.md', {
  attached: { kind: bool, doc: 'a disk is attached; compared with the machine' },
  blockSize: { kind: u64, doc: 'bytes' },
  blocks: { kind: u64, doc: '' },
});

export const nvme = defineStruct('Unit nvme, version 3', 'units-compared.md', {
  limits: { kind: bytes(7), doc: 'limits of the controller' },
  count: { kind: u32, doc: 'namespaces' },
  queues: { kind: u32, doc: '' },
  serialNumber: { kind: text(64), doc: '' },
  model: { kind: text(128), doc: '' },
  firmware: { kind: text(64), doc: '' },
  more: { kind: bytes(12), doc: '' },
  namespaces: { kind: ({ count }: { count: number }) => list(nested(namespace), count), doc: '' },
  rest: STATE,
});

export const lsiLogicCodec = codecOf(lsiLogic);
export const busLogicCodec = codecOf(busLogic);
export const nvmeCodec = codecOf(nvme);
