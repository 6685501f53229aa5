import { bool, u32 } from '../../binary/kinds.ts';
import { type DeviceConfig, numberedPlaces, placesConfig } from '../codec/device-config.ts';
import { comparedRow, type Told, type UnitRow, versions } from '../codec/unit-row.ts';
import { busLogicCodec, lsiLogicCodec } from './scsi-codecs.ts';

/** Devices on a parallel SCSI bus. */
export const SCSI_DEVICES = 16;
/** A SAS controller has a device for each port; larger counts count as damage. */
const MAX_DEVICES = 1024;

/** @param devices number of places for disks and drives */
export function scsiConfig(devices: number, attached: ReadonlySet<number>): DeviceConfig {
  return {
    'number of devices': devices,
    ...placesConfig(numberedPlaces('device', Math.min(devices, MAX_DEVICES)), (i) => attached.has(i)),
  };
}

/** Attached media; the units do not tell their kinds. */
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

/** BusLogic: for each device whether it is attached, and its pending requests. */
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

export const scsiRows: readonly UnitRow[] = [lsiLogic('lsilogicscsi'), lsiLogic('lsilogicsas'), busLogic];
