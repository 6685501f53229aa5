import type { Ich9Bus, Piix3Bus } from '../../../../formats/units/chipset/pci-codec.ts';
import type { MachineUnits } from '../../units/machine-units.ts';
import type { BusDevice } from './pci.ts';
import { PIIX3_PLACES } from './places.ts';

/** VirtualBox's first PCI bus, of either chipset. */
export interface Bus {
  /** Configuration address that the guest has selected. */
  address: number;
  devices: readonly BusDevice[];
  /** Whether interrupts of PCI devices go to the I/O APIC. */
  usesIoApic: boolean;
}

/** The first PCI bus; undefined if the state has none that is known. */
export function busOf(units: MachineUnits): Bus | undefined {
  const piix3 = units.find<Piix3Bus>('pci/0');
  if (piix3) return { address: piix3.address, devices: piix3.devices, usesIoApic: usesIoApic(piix3) };
  const ich9 = units.find<Ich9Bus>('ich9pci/0');
  // VirtualBox's ICH9 gives interrupts of PCI devices to the I/O APIC alone.
  return ich9 && { address: ich9.address, devices: ich9.devices, usesIoApic: true };
}

/** Registers of VirtualBox's PIIX3 in which firmware notes that the guest uses the I/O APIC. */
export const IO_APIC_WORDS = [
  [0xde, 0xbe],
  [0xad, 0xef],
] as const;

/** Whether interrupts of PCI devices of a PIIX3 machine go to the I/O APIC. */
export function usesIoApic({ usesIoApic: knows, devices }: Piix3Bus): boolean {
  const bridge = devices.find(({ devfn }) => devfn === PIIX3_PLACES.ISA_BRIDGE);
  return knows && bridge !== undefined && IO_APIC_WORDS.every(([at, value]) => bridge.config[at] === value);
}
