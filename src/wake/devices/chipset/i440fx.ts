import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { QemuBoard } from './board.ts';
import { heldPin, holdOnBus, isMasked, lineOf, type Routes, type Twin } from './interrupt-routes.ts';
import { type BusDevice, copyConfig, editConfig, pinOf, sectionName, wakeConfig } from './pci.ts';
import { PIIX3_PLACES as PLACES } from './places.ts';

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

/** The four registers of the ISA bridge that name the lines of PCI interrupts, in both machines. */
export const ROUTING_REGISTERS = 0x60;
export const ROUTING_REGISTER_COUNT = 4;

/** Registers of QEMU's power management with the ports that it answers at. */
const POWER_PORTS = 0x40;
const POWER_ENABLE = 0x80;
const SMBUS_PORTS = 0x90;

/** PIIX3 knows only the line that one of its four routing registers names. */
export interface RegisterTwin extends Twin {
  /** One of the routing registers, 0 to 3. */
  register: number;
}

/** Lines of ISA that few devices use, in the order in which they are taken. */
const FREE_LINES = [11, 10, 5, 7, 3, 6];

/** The routing register that a device's pin belongs to, in both machines. */
export function registerOf(devfn: number, pin: number): number {
  return ((devfn >>> 3) - 1 + pin) & (ROUTING_REGISTER_COUNT - 1);
}

/** @param devices those that QEMU has, too @param taken lines that devices of ISA have */
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
    // Two devices of one register share the line that it names; QEMU can't give them a line each.
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

  putBridges(template, isaBridge) {
    if (isaBridge)
      copyConfig(template.section(Section.ISA_BRIDGE), isaBridge, ROUTING_REGISTERS, ROUTING_REGISTER_COUNT);
  },

  planRoutes: planTwins,

  connect(template, { device, to }) {
    const register = ROUTING_REGISTERS + registerOf(device.devfn, pinOf(device) ?? 0);
    editConfig(template.section(Section.ISA_BRIDGE), (config) => config.setUint8(register, to));
  },

  hold(template, section, device) {
    const pin = heldPin(device);
    if (pin === undefined) return;
    const register = registerOf(device.devfn, pin);
    holdOnBus(template, section, pin, register);
    template.section(Section.ISA_BRIDGE).set(`pci_irq_levels_vmstate[${register}]`, 1n);
  },
};
