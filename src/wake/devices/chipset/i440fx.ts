import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Piix3Bus } from '../../../../formats/units/chipset/pci-codec.ts';
import type { QemuBoard } from './board.ts';
import { heldPin, holdOnBus, isMasked, lineOf, type Routes, type Twin } from './interrupt-routes.ts';
import {
  type BusDevice,
  configOf,
  copyConfig,
  editConfig,
  pinOf,
  sectionName,
  takeConfigBack,
  wakeConfig,
} from './pci.ts';
import { PIIX3_PLACES as PLACES } from './places.ts';
import { takePowerPorts } from './power-back.ts';
import { takeRoutesBack } from './routes-back.ts';
import { NO_LINE, ROUTING_REGISTER_COUNT, ROUTING_REGISTERS, registerOf } from './routing-registers.ts';

/** Place of the power management in QEMU. */
const QEMU_POWER = 0x0b;

/** QEMU's sections for the chips. */
export const Section = {
  HOST_BRIDGE: sectionName(PLACES.HOST_BRIDGE, 'I440FX'),
  ISA_BRIDGE: sectionName(PLACES.ISA_BRIDGE, 'PIIX3'),
  IDE: sectionName(PLACES.IDE, 'ide'),
  GRAPHICS: sectionName(PLACES.GRAPHICS, 'vga'),
  POWER: sectionName(QEMU_POWER, 'piix4_pm'),
} as const;

/** Registers of QEMU's power management for its I/O ports. */
const POWER_PORTS = 0x40;
const POWER_PORT_BITS = 0xffc0;
const POWER_ENABLE = 0x80;
const SMBUS_PORTS = 0x90;

/** On PIIX3 only a routing register selects the line of a twin. */
export interface RegisterTwin extends Twin {
  /** One of the routing registers, 0 to 3. */
  register: number;
}

/** ISA lines that few devices use, in order of preference. */
const FREE_LINES = [11, 10, 5, 7, 3, 6];

/** @param devices devices that also exist in QEMU @param taken lines of ISA devices */
export function planTwins(
  devices: readonly BusDevice[],
  ioApic: IoApic,
  taken: readonly number[],
): Routes<RegisterTwin> {
  const routes: Routes<RegisterTwin> = { twins: [], unrouted: [], homeless: [] };
  const isFree = (line: number) =>
    isMasked(ioApic, line) && !taken.includes(line) && !routes.twins.some(({ to }) => to === line);
  for (const device of devices) {
    const pin = pinOf(device);
    if (pin === undefined) continue;
    const register = registerOf(device.devfn, pin);
    const from = lineOf(device.devfn, pin);
    if (isMasked(ioApic, from)) {
      routes.unrouted.push(device);
      continue;
    }
    // Two devices of one register share its line in QEMU.
    const shared = routes.twins.find((twin) => twin.register === register);
    const to = shared ? (shared.from === from ? shared.to : undefined) : FREE_LINES.find(isFree);
    if (to === undefined) routes.homeless.push(device);
    else routes.twins.push({ device, register, from, to });
  }
  return routes;
}

/** QEMU's PC, for machines with PIIX3. */
export const I440FX: QemuBoard = {
  machine: 'pc',
  machineWords: '',
  moreChips: () => [],
  places: PLACES,
  sections: Section,
  shadows: 0x59,
  powerRegisters: 'ar.',

  putPower(template, { pmBase, smbusBase }, device) {
    const section = template.section(Section.POWER);
    wakeConfig(section, device, []);
    editConfig(section, (config) => {
      config.setUint32(POWER_PORTS, pmBase | 1, true);
      config.setUint8(POWER_ENABLE, config.getUint8(POWER_ENABLE) | 1);
      if (smbusBase !== 0) config.setUint32(SMBUS_PORTS, smbusBase | 1, true);
    });
  },

  takePower(template, acpi, device) {
    const section = template.section(Section.POWER);
    if (device) takeConfigBack(section, device, []);
    const config = configOf(section);
    const isOn = (config.getUint8(POWER_ENABLE) & 1) !== 0;
    takePowerPorts(acpi, device, isOn ? config.getUint32(POWER_PORTS, true) & POWER_PORT_BITS : 0);
  },

  putBridges(template, isaBridge) {
    if (isaBridge)
      copyConfig(template.section(Section.ISA_BRIDGE), isaBridge, ROUTING_REGISTERS, ROUTING_REGISTER_COUNT);
  },

  planRoutes: planTwins,

  connect(template, twins) {
    editConfig(template.section(Section.ISA_BRIDGE), (config) => {
      // Values that firmware wrote there mean nothing to the guest any more; one of them is the line of ACPI.
      for (let i = 0; i < ROUTING_REGISTER_COUNT; i++) config.setUint8(ROUTING_REGISTERS + i, NO_LINE);
      for (const { device, to } of twins)
        config.setUint8(ROUTING_REGISTERS + registerOf(device.devfn, pinOf(device) ?? 0), to);
    });
  },

  takeRoutes(units, template, back) {
    takeRoutesBack(units.need<Piix3Bus>('pci/0'), configOf(template.section(Section.ISA_BRIDGE)), back);
  },

  hold(template, section, device) {
    const pin = heldPin(device);
    if (pin === undefined) return;
    const register = registerOf(device.devfn, pin);
    holdOnBus(template, section, pin, register);
    template.section(Section.ISA_BRIDGE).set(`pci_irq_levels_vmstate[${register}]`, 1n);
  },
};
