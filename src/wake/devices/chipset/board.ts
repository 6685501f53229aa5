import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Acpi } from '../../../../formats/units/chipset/legacy.ts';
import type { Apic } from '../../../../formats/units/cpu/apic.ts';
import type { Template } from '../../template/template.ts';
import type { MachineUnits } from '../../units/machine-units.ts';
import type { Routes, Twin } from './interrupt-routes.ts';
import type { BusDevice } from './pci.ts';

/** Chips that every machine has. */
export type Chip = 'HOST_BRIDGE' | 'ISA_BRIDGE' | 'IDE' | 'GRAPHICS' | 'POWER';

/** Units that hold QEMU's values already, and the devices whose interrupts move back to their lines in VirtualBox. */
export interface BusBack {
  ioApic: IoApic | undefined;
  apic: Apic | undefined;
  devices: readonly BusDevice[];
}

/**
 * A board of QEMU, for machines with one of VirtualBox's chipsets. `places`: PCI places in VirtualBox, 8 × device +
 * function; `sections`: names in QEMU's stream.
 */
export interface QemuBoard {
  /** QEMU's type of machine, without its version. */
  machine: 'pc' | 'q35';
  /** Options of the machine that the other board does not have, each with a comma before it. */
  machineWords: string;
  /** Arguments for chips that VirtualBox's machine has and this board does not have by itself. */
  moreChips(units: MachineUnits): string[];
  places: Readonly<Record<Chip, number>>;
  sections: Readonly<Record<Chip, string>>;
  /** First of the seven registers of the host bridge for access to the memory from 0xC0000 to 0xFFFFF. */
  shadows: number;
  /** Path of the fixed registers of power management in their section. */
  powerRegisters: string;
  /** Moves power management to VirtualBox's ports. */
  putPower(template: Template, acpi: Acpi, device: BusDevice): void;
  /** The way back: moves power management to QEMU's ports, if it is on. @param device absent: not on the bus */
  takePower(template: Template, acpi: Acpi, device: BusDevice | undefined): void;
  /** Takes over the guest's other settings of the bridges. @param isaBridge configuration of VirtualBox's ISA bridge */
  putBridges(template: Template, isaBridge: BusDevice | undefined): void;
  /** Plans how PCI interrupts reach the I/O APIC. @param taken lines of ISA devices */
  planRoutes(devices: readonly BusDevice[], ioApic: IoApic, taken: readonly number[]): Routes;
  /** Connects PCI devices to the interrupt lines of their twins, and to no lines of ISA devices otherwise. */
  connect(template: Template, twins: readonly Twin[]): void;
  /** The way back: moves PCI interrupts to the lines that they have in VirtualBox. */
  takeRoutes(units: MachineUnits, template: Template, back: BusBack): void;
  /** Marks a device's line as raised in bus and bridges, if the device holds it. @param section of the device */
  hold(template: Template, section: string, device: BusDevice): void;
}
