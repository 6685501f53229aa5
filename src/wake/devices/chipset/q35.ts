import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import { type Ich9Bus, placeName } from '../../../../formats/units/chipset/pci-codec.ts';
import type { QemuBoard } from './board.ts';
import { heldPin, holdOnBus, isMasked, lineOf, PCI_LINES, type Routes } from './interrupt-routes.ts';
import { deliverHeld, heldLines, type LineBack, takeEntriesBack } from './lines-back.ts';
import { type BusDevice, configOf, configView, editConfig, pinOf, sectionName } from './pci.ts';
import { ICH9_PLACES as PLACES } from './places.ts';
import { takePowerPorts } from './power-back.ts';

const Section = {
  HOST_BRIDGE: sectionName(PLACES.HOST_BRIDGE, 'mch'),
  ISA_BRIDGE: sectionName(PLACES.ISA_BRIDGE, 'ICH9LPC'),
  IDE: sectionName(PLACES.IDE, 'ide'),
  GRAPHICS: sectionName(PLACES.GRAPHICS, 'vga'),
  POWER: sectionName(PLACES.ISA_BRIDGE, 'ICH9LPC'),
} as const;

/** Registers of the ISA bridge: address of the ports of power management, and their switch. */
const POWER_PORTS = 0x40;
const POWER_PORT_BITS = 0xff80;
const POWER_CONTROL = 0x44;
const POWER_ENABLED = 0x80;
/** Register with the address at which the chip's other registers appear in memory. */
const CHIP_REGISTERS = 0xf0;
const SHOWN = 1;

/**
 * From this device number on, with one exception, registers of the ISA bridge route interrupts: after a reset, each pin
 * to its own line.
 */
const FIRST_OWN = 25;
const BEHIND_BRIDGE = 30;
const PINS = 4;

/** QEMU's name of the IDE controller; its channels have the names of a PC's built-in ones. */
const IDE_ID = 'ide';

/** QEMU's line of the I/O APIC for a device's pin. */
export function q35Line(devfn: number, pin: number): number {
  const slot = devfn >>> 3;
  if (slot === BEHIND_BRIDGE) return PCI_LINES + PINS + pin;
  return PCI_LINES + (slot >= FIRST_OWN ? pin : PINS + ((slot + pin) % PINS));
}

/**
 * Plans the lines of devices. Lines that are equal in both machines need no twin, and stay right if the guest sets them
 * up again.
 */
export function planLines(devices: readonly BusDevice[], ioApic: IoApic): Routes {
  const routes: Routes = { twins: [], unrouted: [], homeless: [] };
  const lines = devices.flatMap((device) => {
    const pin = pinOf(device);
    if (pin === undefined) return [];
    return [{ device, from: lineOf(device.devfn, pin), to: q35Line(device.devfn, pin) }];
  });
  const same = lines.filter(({ from, to }) => from === to);
  for (const { device, from, to } of lines) {
    if (from === to) continue;
    const shared = routes.twins.find((twin) => twin.to === to);
    // Other devices that the guest has on that line have another line in QEMU, or do not exist there.
    const isFree = !same.some((line) => line.to === to);
    if (isMasked(ioApic, from)) routes.unrouted.push(device);
    else if (shared ? shared.from === from : isFree) routes.twins.push({ device, from, to });
    else routes.homeless.push(device);
  }
  return routes;
}

/** QEMU's Q35, for machines with ICH9. */
export const Q35: QemuBoard = {
  machine: 'q35',
  // VirtualBox's disk controllers are added one by one; its SMBus is another chip.
  machineWords: ',sata=off,smbus=off',
  moreChips: (units) => [
    ...(units.has('i82078/0') ? ['-device', 'isa-fdc'] : []),
    ...(units.has('piix3ide/0') ? ['-device', `piix3-ide,id=${IDE_ID},addr=${placeName(PLACES.IDE)}`] : []),
  ],
  places: PLACES,
  sections: Section,
  shadows: 0x90,
  powerRegisters: 'pm.acpi_regs.',

  putPower(template, { pmBase }) {
    editConfig(template.section(Section.POWER), (config) => {
      config.setUint32(POWER_PORTS, pmBase | 1, true);
      config.setUint8(POWER_CONTROL, config.getUint8(POWER_CONTROL) | POWER_ENABLED);
    });
  },

  takePower(template, acpi, device) {
    const config = configOf(template.section(Section.POWER));
    const isOn = (config.getUint8(POWER_CONTROL) & POWER_ENABLED) !== 0;
    takePowerPorts(acpi, device, isOn ? config.getUint32(POWER_PORTS, true) & POWER_PORT_BITS : 0);
  },

  // Configuration spaces are not mapped into memory: QEMU maps them at multiples of 256 MiB only, VirtualBox elsewhere.
  putBridges(template, isaBridge) {
    const chipRegisters = isaBridge ? configView(isaBridge).getUint32(CHIP_REGISTERS, true) : 0;
    if ((chipRegisters & SHOWN) !== 0)
      editConfig(template.section(Section.ISA_BRIDGE), (config) =>
        config.setUint32(CHIP_REGISTERS, chipRegisters, true),
      );
  },

  planRoutes: planLines,

  // Each line of the bus has its own line of the I/O APIC.
  connect() {},

  takeRoutes(units, _, { ioApic, apic, devices }) {
    const bus = units.need<Ich9Bus>('ich9pci/0');
    const lines = devices.flatMap((device): LineBack[] => {
      const pin = pinOf(device);
      if (pin === undefined) return [];
      return [{ device, from: q35Line(device.devfn, pin), to: lineOf(device.devfn, pin) }];
    });
    if (ioApic) takeEntriesBack(ioApic, lines);
    if (ioApic && apic) deliverHeld(ioApic, apic, lines);
    bus.apicLevels = heldLines(bus.apicLevels.length, lines, ({ to }) => to - PCI_LINES);
  },

  hold(template, section, device) {
    const pin = heldPin(device);
    if (pin !== undefined) holdOnBus(template, section, pin, q35Line(device.devfn, pin) - PCI_LINES);
  },
};
