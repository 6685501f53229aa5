import type { Acpi } from '../../../../formats/units/chipset/legacy.ts';
import { type BusDevice, configView } from './pci.ts';

/** Registers of VirtualBox's power management: its ports, and whether it answers there. */
const PORTS = 0x40;
const ENABLE = 0x80;
const IS_PORTS = 1;
const ENABLED = 1;

/** Lets VirtualBox's power management answer at the ports of QEMU's. @param ports 0: at none */
export function takePowerPorts(acpi: Acpi, device: BusDevice | undefined, ports: number): void {
  if (ports === 0) return;
  acpi.pmBase = ports;
  // The timer of QEMU counts from zero.
  acpi.pmTimerInitial = 0n;
  if (!device) return;
  const config = configView(device);
  config.setUint32(PORTS, ports | IS_PORTS, true);
  config.setUint8(ENABLE, config.getUint8(ENABLE) | ENABLED);
}
