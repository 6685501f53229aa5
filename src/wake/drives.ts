import type { Ahci, Ide } from '../../formats/units/storage/ata-codecs.ts';
import { QEMU_AHCI_PORTS } from './devices/storage/ahci.ts';
import type { MachineUnits } from './units/machine-units.ts';

/** A disk or drive of the machine. */
export interface Drive {
  /** `ide0:0`: channel and unit; `ahci0:3`: controller and port. */
  place: string;
  /** Place in QEMU, as properties of a device. */
  bus: string;
  kind: 'disk' | 'cd';
  /** Serial number that the guest was told. */
  serial: string;
  model: string;
  firmware: string;
  /** Size of a disk in sectors of 512 bytes. */
  sectors: number;
  geometry: { cylinders: number; heads: number; sectors: number };
}

/** QEMU's name of the AHCI controller. */
export const AHCI_ID = 'ahci0';

export function drivesOf(units: MachineUnits, without: ReadonlySet<string>): Drive[] {
  return [...ideDrives(units), ...ahciDrives(units)].filter(({ unit }) => !without.has(unit)).map(({ drive }) => drive);
}

interface Found {
  /** Unit of the state. */
  unit: string;
  drive: Drive;
}

function ideDrives(units: MachineUnits): Found[] {
  const ide = units.find<Ide>('piix3ide/0');
  return (ide?.channels ?? []).flatMap(({ devices }, channel) =>
    devices.flatMap((device, unit): Found[] => {
      const own = ide?.controllers[channel].drives[unit];
      if (!device.attached || !own) return [];
      const drive: Drive = {
        ...{ place: `ide${channel}:${unit}`, bus: `ide.${channel},unit=${unit}`, kind: own.atapi ? 'cd' : 'disk' },
        ...namesOf(device),
        sectors: own.totalSectors,
        geometry: own,
      };
      return [{ unit: 'piix3ide', drive }];
    }),
  );
}

function ahciDrives(units: MachineUnits): Found[] {
  const ahci = units.find<Ahci>('ahci/0');
  return (ahci?.devices ?? []).flatMap((device, port): Found[] => {
    const own = ahci?.port[port];
    if (!device.attached || !own) return [];
    const [cylinders, heads, sectors] = own.geometry;
    const drive: Drive = {
      ...{ place: `ahci0:${port}`, bus: `${AHCI_ID}.${port}`, kind: own.atapi !== 0 ? 'cd' : 'disk' },
      ...namesOf(device),
      sectors: own.sectors,
      geometry: { cylinders, heads, sectors },
    };
    return [{ unit: 'ahci', drive }];
  });
}

function namesOf({
  serialNumber,
  firmware,
  model,
}: Ahci['devices'][number] | Ide['channels'][number]['devices'][number]) {
  return { serial: serialNumber, firmware, model };
}

/** Places of drives that are attached to ports beyond those of QEMU's controller. */
export function portsTooHigh(drives: readonly Drive[]): string[] {
  const places = drives.map(({ place }) => place);
  return places.filter((place) => place.startsWith('ahci') && Number(place.split(':')[1]) >= QEMU_AHCI_PORTS);
}
