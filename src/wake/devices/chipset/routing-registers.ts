/** The four registers of PIIX3's ISA bridge that name the lines of PCI interrupts, in both machines. */
export const ROUTING_REGISTERS = 0x60;
export const ROUTING_REGISTER_COUNT = 4;
/** Value of such a register that leads nowhere. */
export const NO_LINE = 0x80;

/** The routing register that a device's pin belongs to, in both machines. */
export function registerOf(devfn: number, pin: number): number {
  return ((devfn >>> 3) - 1 + pin) & (ROUTING_REGISTER_COUNT - 1);
}
