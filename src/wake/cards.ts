import { placeName } from '../../formats/units/chipset/pci-codec.ts';
import { type E1000, E1000_CHIPS } from '../../formats/units/network/codecs.ts';
import { pciPlace } from '../saved-state/check/pci-places.ts';
import { busOf } from './devices/chipset/bus.ts';
import { type BusDevice, type RegionPairs, sectionName } from './devices/chipset/pci.ts';
import { e1000 } from './devices/network/e1000.ts';
import { pcnet } from './devices/network/pcnet.ts';
import { ahci } from './devices/storage/ahci.ts';
import type { Correspondence } from './template/correspondence.ts';
import type { SectionImage } from './template/section-image.ts';
import type { MachineUnits } from './units/machine-units.ts';

/** An optional PCI device of a machine, with its place, which is the same in VirtualBox and QEMU. */
export interface Card {
  kind: CardKind;
  /** `name/instance`. */
  unit: string;
  device: BusDevice;
  /** Place on the bus in QEMU's form: `03.0`. */
  place: string;
  /** QEMU's section. */
  section: string;
}

/** A kind of card whose state can be carried over. */
export interface CardKind {
  /** Of VirtualBox's unit. */
  unit: string;
  /** Part of the names of QEMU's sections. */
  section: string;
  isNetwork: boolean;
  /** Base address registers in both machines, as `[QEMU, VirtualBox]`. */
  regions: RegionPairs;
  /** @param section shows the fields of this QEMU */
  table(section: SectionImage): readonly Correspondence[];
}

const network = (unit: string, regions: RegionPairs, table: CardKind['table']): CardKind => {
  return { unit, section: unit, isNetwork: true, regions, table };
};

export const CARD_KINDS: readonly CardKind[] = [
  {
    ...{ unit: 'ahci', section: 'ich9_ahci', isNetwork: false },
    // Base address 4, a window to the registers, has another size and order in QEMU than in VirtualBox.
    regions: [[5, 5]],
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

/** All cards that QEMU gets. Cards with disks come first, since interrupt lines may run short. */
export function cardsOf(units: MachineUnits, without: ReadonlySet<string>): Card[] {
  const devices = busOf(units)?.devices ?? [];
  const board = { chipset: units.has('ich9pci/0') ? 'ich9' : 'piix3', hasIommu: false } as const;
  return CARD_KINDS.filter(({ unit }) => !without.has(unit)).flatMap((kind) =>
    units.instancesOf(kind.unit).flatMap((instance) => {
      const unit = `${kind.unit}/${instance}`;
      const model = kind.unit === 'e1000' ? E1000_CHIPS[units.need<E1000>(unit).chip] : undefined;
      const place = pciPlace(board, kind.unit, instance, model);
      const device = devices.find(({ devfn }) => devfn === place);
      if (!device) return [];
      const { devfn } = device;
      return [{ kind, unit, device, place: placeName(devfn), section: sectionName(devfn, kind.section) }];
    }),
  );
}
