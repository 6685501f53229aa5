import { sectionName } from './pci.ts';

/** Places of the chips of a PIIX3 machine on VirtualBox's bus: 8 × device + function. */
export const Place = { HOST_BRIDGE: 0x00, ISA_BRIDGE: 0x08, IDE: 0x09, GRAPHICS: 0x10, POWER: 0x38 } as const;

/** Place of the power management in QEMU. */
const QEMU_POWER = 0x0b;

/** QEMU's sections for them. */
export const Section = {
  HOST_BRIDGE: sectionName(Place.HOST_BRIDGE, 'I440FX'),
  ISA_BRIDGE: sectionName(Place.ISA_BRIDGE, 'PIIX3'),
  IDE: sectionName(Place.IDE, 'ide'),
  GRAPHICS: sectionName(Place.GRAPHICS, 'vga'),
  POWER: sectionName(QEMU_POWER, 'piix4_pm'),
} as const;

/** The four registers of the ISA bridge that name the lines of PCI interrupts. */
export const ROUTING_REGISTERS = 0x60;
