import { bool, u32 } from '../../binary/kinds.ts';
import { FormatError } from '../../errors.ts';
import { type DeviceConfig, numberedPlaces, placesConfig } from '../codec/device-config.ts';
import { comparedRow, type Told, type UnitRow, versions } from '../codec/unit-row.ts';
import { busLogicCodec, lsiLogicCodec } from './scsi-codecs.ts';

/** Devices that a parallel SCSI bus takes. */
export const SCSI_DEVICES = 16;
/** A SAS controller has a device for each port; more are not believed. */
const MAX_DEVICES = 1024;

/** @param devices places for disks and drives */
export function scsiConfig(devices: number, attached: ReadonlySet<number>): DeviceConfig {
  return {
    'number of devices': devices,
    ...placesConfig(numberedPlaces('device', Math.min(devices, MAX_DEVICES)), (i) => attached.has(i)),
  };
}

/** What these are they do not tell. */
function mediaAt(attached: readonly boolean[]): Told {
  return {
    media: attached.flatMap((isThere, i) => (isThere ? [{ place: `device ${i}`, what: 'disk or drive' }] : [])),
  };
}

/** LsiLogic, parallel SCSI and SAS: type of controller, devices, ports, then whether each device is attached. */
function lsiLogic(unit: string): UnitRow {
  return comparedRow(
    unit,
    versions(6),
    (cursor) => {
      u32.read(cursor);
      const devices = u32.read(cursor);
      u32.read(cursor);
      const attached = new Set<number>();
      for (let i = 0; i < Math.min(devices, MAX_DEVICES); i++) if (bool.read(cursor)) attached.add(i);
      return scsiConfig(devices, attached);
    },
    lsiLogicCodec,
    ({ attached }) => mediaAt(attached),
  );
}

/** For each device whether it is attached, and its requests that are not done. */
const busLogic = comparedRow(
  'buslogic',
  versions(5),
  (cursor) => {
    const attached = new Set<number>();
    for (let i = 0; i < SCSI_DEVICES; i++) {
      if (bool.read(cursor)) attached.add(i);
      u32.read(cursor);
    }
    return scsiConfig(SCSI_DEVICES, attached);
  },
  busLogicCodec,
  ({ devices }) => mediaAt(devices.map(({ attached }) => attached)),
);

/** Bytes before the number of targets. */
const VIRTIO_HEAD = 71;
/** Stands after the part that each attached target has. */
const VIRTIO_MARKER = 0x11335577_99bbddffn;
const VIRTIO_TARGET_SIZE = 2;
const MAX_TARGETS = 256;

/** The state of a target is laid out only where it is attached, so the loader notices another number of them. */
export function virtioScsiConfig(targets: number, attached: number): DeviceConfig {
  return { 'number of targets': targets, [VIRTIO_ATTACHED]: attached };
}
export const VIRTIO_ATTACHED = 'number of attached targets';

const virtioScsi = comparedRow('virtio-scsi', versions(1), (cursor) => {
  cursor.take(VIRTIO_HEAD);
  const targets = cursor.u32();
  for (let attached = 0; attached <= MAX_TARGETS; attached++) {
    const at = cursor.at;
    if (cursor.bigU64() === VIRTIO_MARKER) return virtioScsiConfig(targets, attached);
    cursor.at = at + VIRTIO_TARGET_SIZE;
  }
  throw new FormatError('bad-marker', 'Cannot read unit virtio-scsi: the targets do not end');
});

export const scsiRows: readonly UnitRow[] = [lsiLogic('lsilogicscsi'), lsiLogic('lsilogicsas'), busLogic, virtioScsi];
