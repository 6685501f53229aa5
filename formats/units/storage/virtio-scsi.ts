import { array, bool, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct, startOf } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { beforeMark, fields, list, nested } from '../codec/kinds.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';
import { VIRTIO_MARKER, virtioDevice } from '../codec/virtio.ts';

/**
 * Requests of a target that are repeated after a load. VirtualBox's count is one more than the requests that follow.
 */
const request = defineStruct('Request, virtio-scsi version 1', 'device-units.md', {
  queue: { kind: u16, doc: '' },
  head: { kind: u16, doc: 'first descriptor' },
});

const target = defineStruct('Attached target, virtio-scsi version 1', 'device-units.md', {
  count: { kind: u16, doc: 'requests that were not finished' },
  requests: { kind: ({ count }: { count: number }) => list(nested(request), Math.max(count - 1, 0)), doc: '' },
});

const QUEUES = 6;

const virtioScsi = defineStruct('Unit virtio-scsi, version 1', 'device-units.md', {
  queuesAttached: { kind: array(bool, QUEUES), doc: 'the queue is in use' },
  queueCount: { kind: u32, doc: 'queues of requests' },
  ...fields(u32, ['maxSegments', 'maxSectors', 'commandsPerUnit', 'eventSize', 'senseSize', 'commandSize']),
  maxChannel: { kind: u16, doc: '' },
  maxTarget: { kind: u16, doc: '' },
  maxUnit: { kind: u32, doc: '' },
  eventsEnabled: { kind: u32, doc: '' },
  eventsMissed: { kind: bool, doc: '' },
  ready: { kind: u32, doc: "the guest's driver is ready" },
  ...fields(u32, ['protection', 'hotPlug', 'inOutBuffers', 'unitChange'], '1: the guest has chosen that feature'),
  resetting: { kind: u32, doc: '' },
  targetCount: { kind: u32, doc: 'places for disks and drives; compared with the machine' },
  targets: {
    kind: beforeMark(nested(target), VIRTIO_MARKER),
    doc: 'the attached targets; a machine with another number of targets is refused',
  },
  device: { kind: nested(virtioDevice), doc: '' },
});

/** Compared values. Only attached targets have state in the unit, so the loader notices another number of them. */
export function virtioScsiConfig(targets: number, attached: number): DeviceConfig {
  return { 'number of targets': targets, [VIRTIO_ATTACHED]: attached };
}
export const VIRTIO_ATTACHED = 'number of attached targets';

const compared = startOf(virtioScsi, 'targets');

export const virtioScsiRow = comparedRow(
  'virtio-scsi',
  versions(1),
  (cursor) => {
    const { targetCount = 0, targets } = compared.read(cursor);
    return virtioScsiConfig(targetCount, targets.length);
  },
  codecOf(virtioScsi),
);
