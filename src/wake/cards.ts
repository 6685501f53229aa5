import { type Piix3Bus, placeName } from '../../formats/units/chipset/pci-codec.ts';
import { type BusDevice, type Regions, sectionName } from './devices/chipset/pci.ts';
import { e1000 } from './devices/network/e1000.ts';
import { pcnet } from './devices/network/pcnet.ts';
import { ahci } from './devices/storage/ahci.ts';
import type { Correspondence } from './template/correspondence.ts';
import type { SectionImage } from './template/section-image.ts';
import type { MachineUnits } from './units/machine-units.ts';

/** A device on the PCI bus that a machine may have, or not, with its place, which is the same in both machines. */
export interface Card {
  kind: CardKind;
  /** `name/instance`. */
  unit: string;
  device: BusDevice;
  /** As QEMU takes it: `03.0`. */
  place: string;
  /** QEMU's section. */
  section: string;
}

/** A kind of card whose state goes over. */
export interface CardKind {
  /** Of VirtualBox's unit. */
  unit: string;
  /** What it is to QEMU in the name of a section. */
  section: string;
  isNetwork: boolean;
  /** Where VirtualBox has it, by instance: 8 × device + function. */
  places: readonly number[];
  /** Base addresses that both have, as `[QEMU, VirtualBox]`. */
  regions: Regions;
  /** @param section tells which fields this QEMU has */
  table(section: SectionImage): readonly Correspondence[];
}

/** Where network cards are, by instance. Source: device-units.md, pci. */
const NETWORK_PLACES = [0x18, 0x40, 0x48, 0x50, 0x80, 0x88, 0x90, 0x98];

const network = (unit: string, regions: Regions, table: CardKind['table']): CardKind => {
  return { unit, section: unit, isNetwork: true, places: NETWORK_PLACES, regions, table };
};

export const CARD_KINDS: readonly CardKind[] = [
  {
    ...{ unit: 'ahci', section: 'ich9_ahci', isNetwork: false, places: [0x68] },
    regions: [
      [4, 4],
      [5, 5],
    ],
    table: () => ahci,
  },
  network('e1000', [[0, 0]], e1000),
  network(
    'pcnet',
    [
      [0, 0],
      [1, 1],
    ],
    () => pcnet,
  ),
];

/** All cards that QEMU gets, too; those for disks first, as lines for interrupts may run short. */
export function cardsOf(units: MachineUnits, without: ReadonlySet<string>): Card[] {
  const devices = units.find<Piix3Bus>('pci/0')?.devices ?? [];
  return CARD_KINDS.filter(({ unit }) => !without.has(unit)).flatMap((kind) =>
    units.instancesOf(kind.unit).flatMap((instance) => {
      const device = devices.find(({ devfn }) => devfn === kind.places[instance]);
      if (!device) return [];
      const { devfn } = device;
      const unit = `${kind.unit}/${instance}`;
      return [{ kind, unit, device, place: placeName(devfn), section: sectionName(devfn, kind.section) }];
    }),
  );
}
