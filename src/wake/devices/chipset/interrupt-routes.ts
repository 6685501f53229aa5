import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Piix3Bus } from '../../../../formats/units/chipset/pci-codec.ts';
import type { Template } from '../../template/template.ts';
import { type BusDevice, editConfig, holdPin, pinOf } from './pci.ts';
import { Place, ROUTING_REGISTERS, Section } from './piix3.ts';

/**
 * VirtualBox gives interrupts of PCI devices to lines 16 to 23 of the I/O APIC, QEMU's PIIX3 only to the line that one
 * of its four routing registers names. So a line of QEMU's becomes the twin of the one that the guest has set up: the
 * same vector and the same processor. The guest ends an interrupt by its vector, and does not notice.
 */
export interface Twin {
  device: BusDevice;
  /** One of PIIX3's routing registers, 0 to 3. */
  register: number;
  /** Line of VirtualBox's I/O APIC. */
  from: number;
  /** Line of QEMU's. */
  to: number;
}

/** Lines of ISA that few devices use, in the order in which they are taken. */
const FREE_LINES = [11, 10, 5, 7, 3, 6];
/** First line of the I/O APIC for PCI; there are 8. */
const PCI_LINES = 16;
const PCI_LINE_COUNT = 8;
/** Bits of an entry. */
const MASKED = 0x10000n;
const REMOTE_IRR = 0x4000n;

/** The routing register that a device's pin belongs to, in both machines. */
export function registerOf(devfn: number, pin: number): number {
  return ((devfn >>> 3) - 1 + pin) & 3;
}

/** The I/O APIC's line of a device's pin in VirtualBox. */
export function lineOf(devfn: number, pin: number): number {
  return PCI_LINES + (((devfn >>> 3) + pin) % PCI_LINE_COUNT);
}

/** Ports of VirtualBox's PIIX3 through which firmware says that the guest uses the I/O APIC. */
const IO_APIC_WORDS = [
  [0xde, 0xbe],
  [0xad, 0xef],
] as const;

/** Whether interrupts of PCI devices go to the I/O APIC. */
export function usesIoApic({ usesIoApic: knows, devices }: Piix3Bus): boolean {
  const bridge = devices.find(({ devfn }) => devfn === Place.ISA_BRIDGE);
  return knows && bridge !== undefined && IO_APIC_WORDS.every(([at, value]) => bridge.config[at] === value);
}

export interface Routes {
  twins: Twin[];
  /** Devices whose line the guest has not set up yet: their interrupts will not arrive. */
  unrouted: BusDevice[];
  /** Devices that find no line. */
  homeless: BusDevice[];
}

/** @param devices those that QEMU has, too */
export function planTwins(devices: readonly BusDevice[], { redirections }: IoApic, taken: readonly number[]): Routes {
  const routes: Routes = { twins: [], unrouted: [], homeless: [] };
  const isFree = (line: number) =>
    (redirections[line] & MASKED) !== 0n && !taken.includes(line) && !routes.twins.some(({ to }) => to === line);
  for (const device of devices) {
    const pin = pinOf(device);
    if (pin === undefined) continue;
    const register = registerOf(device.devfn, pin);
    const from = lineOf(device.devfn, pin);
    if ((redirections[from] & MASKED) !== 0n) {
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

const IRR = 'irr';

/** Puts the twins into PIIX3 and I/O APIC, whose sections have been filled before. */
export function wakeTwins(template: Template, { twins }: Routes): void {
  const ioApic = template.section('ioapic');
  for (const { device, register, from, to } of twins) {
    editConfig(template.section(Section.ISA_BRIDGE), (config) => config.setUint8(ROUTING_REGISTERS + register, to));
    ioApic.set(`ioredtbl[${to}]`, ioApic.number(`ioredtbl[${from}]`) & ~REMOTE_IRR);
    // Nothing drives the old line any more; left raised it would interrupt for ever.
    let irr = ioApic.number(IRR) & ~(1n << BigInt(from));
    if (device.pinLevel !== 0) irr |= 1n << BigInt(to);
    ioApic.set(IRR, irr);
  }
}

/** Tells bus and bridge that a device holds its line. */
export function holdLine(template: Template, section: string, device: BusDevice): void {
  const pin = pinOf(device);
  if (pin === undefined || device.pinLevel === 0) return;
  const register = registerOf(device.devfn, pin);
  holdPin(template.section(section), pin);
  const bus = template.section('PCIBUS');
  bus.set(`irq_count[${register}]`, bus.number(`irq_count[${register}]`) + 1n);
  template.section(Section.ISA_BRIDGE).set(`pci_irq_levels_vmstate[${register}]`, 1n);
}

/** What decides where interrupts of PCI devices go in VirtualBox. */
interface LinesBack {
  bus: Piix3Bus;
  ioApic: IoApic | undefined;
  devices: readonly BusDevice[];
  /** QEMU's ISA bridge. */
  bridge: DataView;
}

/**
 * The way back: an entry of the I/O APIC that QEMU's device interrupts through becomes the entry of the line that the
 * device has in VirtualBox. Units hold QEMU's values already.
 */
export function takeRoutesBack({ bus, ioApic, devices, bridge }: LinesBack): void {
  const own = bus.devices.find(({ devfn }) => devfn === Place.ISA_BRIDGE);
  const lines = devices.flatMap((device) => {
    const pin = pinOf(device);
    if (pin === undefined) return [];
    const register = registerOf(device.devfn, pin);
    return [{ device, register, to: lineOf(device.devfn, pin), from: bridge.getUint8(ROUTING_REGISTERS + register) }];
  });
  const open = lines.filter(({ from }) => ioApic && from < PCI_LINES && (ioApic.redirections[from] & MASKED) === 0n);
  const isApic = open.length > 0 || usesIoApic(bus);
  if (own && open.length > 0) {
    bus.usesIoApic = true;
    for (const [at, value] of IO_APIC_WORDS) own.config[at] = value;
  }
  if (own && !isApic)
    for (let i = 0; i < REGISTERS; i++) own.config[ROUTING_REGISTERS + i] = bridge.getUint8(ROUTING_REGISTERS + i);
  bus.legacyLevels = bus.legacyLevels.map((_, i) => heldBy(lines, !isApic, ({ register }) => register === i));
  bus.apicLevels = bus.apicLevels.map((_, i) => heldBy(lines, isApic, ({ to }) => to === PCI_LINES + i));
  if (!ioApic) return;
  for (const { from, to } of open) ioApic.redirections[to] = ioApic.redirections[from];
  for (const { from } of open) {
    ioApic.redirections[from] = MASKED;
    ioApic.irr &= ~(1 << from);
  }
  for (const { to, device } of isApic ? lines : [])
    ioApic.irr = ((ioApic.irr & ~(1 << to)) | (device.pinLevel !== 0 ? 1 << to : 0)) >>> 0;
}

/** Registers of the ISA bridge for lines of PCI interrupts. */
const REGISTERS = 4;

type Line = { device: BusDevice; register: number; to: number };

/** How many devices hold a line. */
function heldBy(lines: readonly Line[], isUsed: boolean, isIt: (line: Line) => boolean): number {
  return isUsed ? lines.filter((line) => line.device.pinLevel !== 0 && isIt(line)).length : 0;
}
