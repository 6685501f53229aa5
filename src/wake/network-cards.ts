import type { Piix3Bus } from '../../formats/units/chipset/pci-codec.ts';
import type { BusDevice } from './devices/pci.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { WakeOptions } from './wake-options.ts';

/** A network card with its place on the bus. */
export interface NetworkCard {
  instance: number;
  device: BusDevice;
  /** As QEMU takes it: `03.0`. */
  place: string;
  /** QEMU's section. */
  section: string;
}

/** Where network cards are, by instance. Source: device-units.md, pci. */
const PLACES = [0x18, 0x40, 0x48, 0x50, 0x80, 0x88, 0x90, 0x98];

export function networkCards(units: MachineUnits, { without }: WakeOptions): NetworkCard[] {
  if (without.has('e1000')) return [];
  const bus = units.find<Piix3Bus>('pci/0');
  return units.instancesOf('e1000').flatMap((instance) => {
    const device = bus?.devices.find(({ devfn }) => devfn === PLACES[instance]);
    if (!device) return [];
    const slot = (device.devfn >>> 3).toString(16).padStart(2, '0');
    return [{ instance, device, place: `${slot}.0`, section: `0000:00:${slot}.0/e1000` }];
  });
}
