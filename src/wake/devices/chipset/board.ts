import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Acpi } from '../../../../formats/units/chipset/legacy.ts';
import type { Template } from '../../template/template.ts';
import type { MachineUnits } from '../../units/machine-units.ts';
import type { Routes, Twin } from './interrupt-routes.ts';
import type { BusDevice } from './pci.ts';

/** Chips that every machine has: the place in VirtualBox, 8 × device + function, and the section in QEMU. */
export type Chip = 'HOST_BRIDGE' | 'ISA_BRIDGE' | 'IDE' | 'GRAPHICS' | 'POWER';

/** A board of QEMU's, for machines of one of VirtualBox's chipsets. */
export interface QemuBoard {
  /** QEMU's type of machine, without its version. */
  machine: 'pc' | 'q35';
  /** Options of the machine that the other board lacks, each with a comma before it. */
  machineWords: string;
  /** Arguments for chips that VirtualBox's machine has and this board does not have by itself. */
  moreChips(units: MachineUnits): string[];
  places: Readonly<Record<Chip, number>>;
  sections: Readonly<Record<Chip, string>>;
  /** First of the seven registers of the host bridge for access to the memory from 0xC0000 to 0xFFFFF. */
  shadows: number;
  /** Path of the fixed registers of power management in their section. */
  powerRegisters: string;
  /** Has power management answer at VirtualBox's ports. */
  putPower(template: Template, acpi: Acpi, device: BusDevice): void;
  /** What else the guest has set in the bridges. @param isaBridge VirtualBox's @param ramHole bytes below 4 GiB */
  putBridges(template: Template, isaBridge: BusDevice | undefined, ramHole: number): void;
  /** How interrupts arrive that go to the I/O APIC. @param taken lines that devices of ISA have */
  planRoutes(devices: readonly BusDevice[], ioApic: IoApic, taken: readonly number[]): Routes;
  /** Has a PCI device interrupt by the line of its twin. */
  connect(template: Template, twin: Twin): void;
  /** Tells bus and bridges that a device holds its line, if it does. @param section of the device */
  hold(template: Template, section: string, device: BusDevice): void;
}
