import type { Ide } from '../../formats/units/storage/ata-codecs.ts';
import type { MachineUnits } from './units/machine-units.ts';

/** A disk or drive of the machine. */
export interface Drive {
  /** `ide0:0`: channel and unit. */
  place: string;
  channel: number;
  unit: number;
  kind: 'disk' | 'cd';
  /** As the guest was told. */
  serial: string;
  model: string;
  firmware: string;
  /** 512 bytes each; of a disk. */
  sectors: number;
  geometry: { cylinders: number; heads: number; sectors: number };
}

export function drivesOf(units: MachineUnits): Drive[] {
  const ide = units.find<Ide>('piix3ide/0');
  if (!ide) return [];
  return ide.channels.flatMap(({ devices }, channel) =>
    devices.flatMap(({ attached, serialNumber, firmware, model }, unit): Drive[] => {
      if (!attached) return [];
      const { atapi, totalSectors, cylinders, heads, sectors } = ide.controllers[channel].drives[unit];
      return [
        {
          ...{ place: `ide${channel}:${unit}`, channel, unit, kind: atapi ? 'cd' : 'disk' },
          ...{ serial: serialNumber, model, firmware, sectors: totalSectors },
          geometry: { cylinders, heads, sectors },
        },
      ];
    }),
  );
}
