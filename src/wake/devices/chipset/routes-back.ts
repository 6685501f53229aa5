import type { Piix3Bus } from '../../../../formats/units/chipset/pci-codec.ts';
import type { BusBack } from './board.ts';
import { IO_APIC_WORDS, usesIoApic } from './bus.ts';
import { isMasked, lineOf, PCI_LINES } from './interrupt-routes.ts';
import { deliverHeld, heldLines, type LineBack, takeEntriesBack } from './lines-back.ts';
import { pinOf } from './pci.ts';
import { PIIX3_PLACES } from './places.ts';
import { ROUTING_REGISTER_COUNT, ROUTING_REGISTERS, registerOf } from './routing-registers.ts';

type Line = LineBack & { register: number };

/**
 * Moves entries of the I/O APIC back, from devices' pins in QEMU to their pins in VirtualBox. The units already hold
 * QEMU's values. @param bridge configuration of QEMU's ISA bridge
 */
export function takeRoutesBack(bus: Piix3Bus, bridge: DataView, { ioApic, apic, devices }: BusBack): void {
  const own = bus.devices.find(({ devfn }) => devfn === PIIX3_PLACES.ISA_BRIDGE);
  const lines = devices.flatMap((device): Line[] => {
    const pin = pinOf(device);
    if (pin === undefined) return [];
    const register = registerOf(device.devfn, pin);
    const from = bridge.getUint8(ROUTING_REGISTERS + register);
    return [{ device, register, to: lineOf(device.devfn, pin), from: from < PCI_LINES ? from : undefined }];
  });
  // A guest that has set up a line of PCI uses the I/O APIC, even if the template's guest did not.
  const isOpen = (line: number | undefined) => ioApic !== undefined && line !== undefined && !isMasked(ioApic, line);
  const isTurned = lines.some(({ from, to }) => isOpen(from) || isOpen(to));
  const isApic = isTurned || usesIoApic(bus);
  if (own && isTurned) {
    bus.usesIoApic = true;
    for (const [at, value] of IO_APIC_WORDS) own.config[at] = value;
  }
  if (own && !isApic)
    for (let i = 0; i < ROUTING_REGISTER_COUNT; i++)
      own.config[ROUTING_REGISTERS + i] = bridge.getUint8(ROUTING_REGISTERS + i);
  if (ioApic && isApic) {
    takeEntriesBack(ioApic, lines);
    if (apic) deliverHeld(ioApic, apic, lines);
  }
  bus.legacyLevels = heldLines(bus.legacyLevels.length, isApic ? [] : lines, ({ register }) => register);
  bus.apicLevels = heldLines(bus.apicLevels.length, isApic ? lines : [], ({ to }) => to - PCI_LINES);
}
