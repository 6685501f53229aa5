import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Template } from '../../template/template.ts';
import { type BusDevice, holdPin, pinOf } from './pci.ts';

/**
 * VirtualBox gives interrupts of PCI devices to lines 16 to 23 of the I/O APIC; boards of QEMU have others for them. So
 * a line of QEMU's becomes the twin of the one that the guest has set up: the same vector and the same processor. The
 * guest ends an interrupt by its vector, and does not notice.
 */
export interface Twin {
  device: BusDevice;
  /** Line of VirtualBox's I/O APIC. */
  from: number;
  /** Line of QEMU's. */
  to: number;
}

export interface Routes<T extends Twin = Twin> {
  twins: T[];
  /** Devices whose line the guest has not set up yet: their interrupts will not arrive. */
  unrouted: BusDevice[];
  /** Devices that find no line. */
  homeless: BusDevice[];
}

/** First line of the I/O APIC for PCI; there are 8. */
export const PCI_LINES = 16;
const PCI_LINE_COUNT = 8;
/** Bits of an entry. */
export const MASKED = 0x10000n;
const REMOTE_IRR = 0x4000n;

/** The I/O APIC's line of a device's pin in VirtualBox. */
export function lineOf(devfn: number, pin: number): number {
  return PCI_LINES + (((devfn >>> 3) + pin) % PCI_LINE_COUNT);
}

/** Whether the guest has not set up a line of the I/O APIC. */
export function isMasked({ redirections }: IoApic, line: number): boolean {
  return (redirections[line] & MASKED) !== 0n;
}

const IRR = 'irr';

/** Puts the twins into the I/O APIC, whose section has been filled before. */
export function wakeTwins(template: Template, { twins }: Routes): void {
  const ioApic = template.section('ioapic');
  const entries = twins.map(({ from }) => ioApic.number(`ioredtbl[${from}]`) & ~REMOTE_IRR);
  for (const [i, { device, from, to }] of twins.entries()) {
    ioApic.set(`ioredtbl[${to}]`, entries[i]);
    // Nothing drives the old line any more; left raised it would interrupt for ever.
    let irr = ioApic.number(IRR) & ~(1n << BigInt(from));
    if (device.pinLevel !== 0) irr |= 1n << BigInt(to);
    ioApic.set(IRR, irr);
  }
}

/** Tells the bus that a device holds its line. @param route of the bus: which of its outputs the pin belongs to */
export function holdOnBus(template: Template, section: string, pin: number, route: number): void {
  holdPin(template.section(section), pin);
  const bus = template.section('PCIBUS');
  bus.set(`irq_count[${route}]`, bus.number(`irq_count[${route}]`) + 1n);
}

/** The pin that a device holds; undefined where it holds none. */
export function heldPin(device: BusDevice): number | undefined {
  return device.pinLevel === 0 ? undefined : pinOf(device);
}
