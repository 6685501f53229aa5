import { isNetworkCard, NETWORK_CARD_PLACES } from '../../../formats/units/chipset/pci-ids.ts';
import type { PdmDevice } from '../../../formats/units/machine/pdm.ts';

// ICH9 has more controllers of a kind, and more network cards, than its first PCI bus has places for. The places of
// further ones are those of states of 7.2.22 (npm run campaign -- virtualbox-pairs families bridges).

/** A device, its bus and its place there: 8 × device + function. */
export interface BusPlace extends PdmDevice {
  bus: number;
  devfn: number;
}

/** Unit of a bridge: the devices on the bus behind it. The bridge with instance 0 leads to bus 1. */
export const BRIDGE = 'ich9pcibridge';

/** Places of bridges 0, 1 and 2: bus 3 lies behind bus 2. */
const BRIDGES = [
  { bus: 0, devfn: 0xc0 },
  { bus: 0, devfn: 0xc8 },
  { bus: 2, devfn: 0xc0 },
] as const;

/** Place of the second controller of a kind; the third one has the next place, and so on. */
const SECOND: Readonly<Record<string, Omit<BusPlace, keyof PdmDevice>>> = {
  ahci: { bus: 1, devfn: 0x00 },
  lsilogicscsi: { bus: 1, devfn: 0x38 },
  buslogic: { bus: 1, devfn: 0x70 },
  lsilogicsas: { bus: 1, devfn: 0xa8 },
  nvme: { bus: 3, devfn: 0x00 },
  'virtio-scsi': { bus: 3, devfn: 0x38 },
};
/** Bus of network cards that find no place on the first one. */
const BUS_OF_CARDS = 2;
const NEXT_DEVICE = 8;

/** Devices that have no fixed place on the first bus, and the bridges that lead to them. */
export function furtherPlaces(devices: readonly PdmDevice[]): BusPlace[] {
  const places = [...placesOfCards(devices), ...placesOfControllers(devices)];
  const count = Math.max(0, ...places.map(({ bus }) => bus));
  return [...places, ...BRIDGES.slice(0, count).map((place, instance) => ({ name: BRIDGE, instance, ...place }))];
}

/** Gives the ninth network card and further ones the places of cards that the machine lacks. */
function placesOfCards(devices: readonly PdmDevice[]): BusPlace[] {
  const cards = devices.filter(({ name }) => isNetworkCard(name));
  const free = NETWORK_CARD_PLACES.filter((_, slot) => cards.every(({ instance }) => instance !== slot));
  const further = cards.filter(({ instance }) => instance >= NETWORK_CARD_PLACES.length).sort(byInstance);
  return further.map((card, i) =>
    i < free.length
      ? { ...card, bus: 0, devfn: free[i] }
      : { ...card, bus: BUS_OF_CARDS, devfn: NEXT_DEVICE * (i - free.length) },
  );
}

function placesOfControllers(devices: readonly PdmDevice[]): BusPlace[] {
  return Object.entries(SECOND).flatMap(([kind, { bus, devfn }]) =>
    devices
      .filter(({ name }) => name === kind)
      .sort(byInstance)
      .slice(1)
      .map((device, i) => ({ ...device, bus, devfn: devfn + NEXT_DEVICE * i })),
  );
}

function byInstance(a: PdmDevice, b: PdmDevice): number {
  return a.instance - b.instance;
}
