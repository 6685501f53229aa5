import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Piix3Bus } from '../../../../formats/units/chipset/pci-codec.ts';
import { IO_APIC_WORDS, usesIoApic } from './bus.ts';
import { ROUTING_REGISTER_COUNT, ROUTING_REGISTERS, registerOf } from './i440fx.ts';
import { isMasked, lineOf, MASKED, PCI_LINES } from './interrupt-routes.ts';
import { type BusDevice, pinOf } from './pci.ts';
import { PIIX3_PLACES } from './places.ts';

/** The units that determine the routing of PCI interrupts in VirtualBox. */
interface LinesBack {
  bus: Piix3Bus;
  ioApic: IoApic | undefined;
  devices: readonly BusDevice[];
  /** QEMU's ISA bridge. */
  bridge: DataView;
}

/**
 * The way back: moves entries of the I/O APIC from the pins that devices use in QEMU to those that they use in
 * VirtualBox. The units already hold QEMU's values.
 */
export function takeRoutesBack({ bus, ioApic, devices, bridge }: LinesBack): void {
  const own = bus.devices.find(({ devfn }) => devfn === PIIX3_PLACES.ISA_BRIDGE);
  const lines = devices.flatMap((device) => {
    const pin = pinOf(device);
    if (pin === undefined) return [];
    const register = registerOf(device.devfn, pin);
    return [{ device, register, to: lineOf(device.devfn, pin), from: bridge.getUint8(ROUTING_REGISTERS + register) }];
  });
  const open = lines.filter(({ from }) => ioApic && from < PCI_LINES && !isMasked(ioApic, from));
  const isApic = open.length > 0 || usesIoApic(bus);
  if (own && open.length > 0) {
    bus.usesIoApic = true;
    for (const [at, value] of IO_APIC_WORDS) own.config[at] = value;
  }
  if (own && !isApic)
    for (let i = 0; i < ROUTING_REGISTER_COUNT; i++)
      own.config[ROUTING_REGISTERS + i] = bridge.getUint8(ROUTING_REGISTERS + i);
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

type Line = { device: BusDevice; register: number; to: number };

/** Number of devices that hold a line raised; 0 where the line is not used. */
function heldBy(lines: readonly Line[], isUsed: boolean, isIt: (line: Line) => boolean): number {
  return isUsed ? lines.filter((line) => line.device.pinLevel !== 0 && isIt(line)).length : 0;
}
