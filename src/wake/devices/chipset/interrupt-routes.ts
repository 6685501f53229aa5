import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Template } from '../../template/template.ts';
import { type BusDevice, holdPin, pinOf } from './pci.ts';

/**
 * VirtualBox routes interrupts of PCI devices to lines 16 to 23 of the I/O APIC, boards of QEMU route them to other
 * lines. So QEMU's line gets the entry of the line that the guest has set up: the same vector and the same processor.
 * The guest ends an interrupt by its vector, and does not notice.
 */
export interface Twin {
  device: BusDevice;
  /** Line of VirtualBox's I/O APIC. */
  from: number;
  /** Line of QEMU's I/O APIC. */
  to: number;
}

export interface Routes<T extends Twin = Twin> {
  twins: T[];
  /** Devices whose line the guest has not set up yet: their interrupts will not arrive. */
  unrouted: BusDevice[];
  /** Devices for which no line of QEMU's is free. */
  homeless: BusDevice[];
}

/** First line of the I/O APIC for PCI; there are 8. */
export const PCI_LINES = 16;
const PCI_LINE_COUNT = 8;
/** Bits of an entry of the redirection table. */
export const MASKED = 0x10000n;
/** The interrupt has been delivered, and the guest has not ended it yet. */
export const REMOTE_IRR = 0x4000n;

/** The I/O APIC's line of a device's pin in VirtualBox. */
export function lineOf(devfn: number, pin: number): number {
  return PCI_LINES + (((devfn >>> 3) + pin) % PCI_LINE_COUNT);
}

/** Whether the guest has not set up a line of the I/O APIC. */
export function isMasked({ redirections }: Pick<IoApic, 'redirections'>, line: number): boolean {
  return (redirections[line] & MASKED) !== 0n;
}

const IRR = 'irr';

/** Copies entries to the twins, in an I/O APIC whose section has been filled before. */
export function wakeTwins(template: Template, { twins }: Routes): void {
  const ioApic = template.section('ioapic');
  const entries = twins.map(({ from }) => ioApic.number(`ioredtbl[${from}]`) & ~REMOTE_IRR);
  let irr = ioApic.number(IRR);
  // No device drives the old lines any more: if they stayed raised, they would interrupt for ever.
  for (const { from } of twins) irr &= ~(1n << BigInt(from));
  for (const [i, { device, to }] of twins.entries()) {
    ioApic.set(`ioredtbl[${to}]`, entries[i]);
    if (device.pinLevel !== 0) irr |= 1n << BigInt(to);
  }
  ioApic.set(IRR, irr);
}

/** Notes in the bus's state that a device raises an interrupt. @param route output of the bus for the device's pin */
export function holdOnBus(template: Template, section: string, pin: number, route: number): void {
  holdPin(template.section(section), pin);
  const bus = template.section('PCIBUS');
  bus.set(`irq_count[${route}]`, bus.number(`irq_count[${route}]`) + 1n);
}

/** The interrupt pin that a device raises; undefined if it raises none. */
export function heldPin(device: BusDevice): number | undefined {
  return device.pinLevel === 0 ? undefined : pinOf(device);
}
