import { expect, it } from 'vitest';
import { GIB, MIB } from '../sizes.ts';
import { RamBlocks } from './ram-blocks.ts';

/** Blocks as QEMU 7.2 has them for its machines `virt`; the device tree was seen at the start of aarch64's RAM. */
it.each([
  ['virt-7.2', 'mach-virt.ram', ['virt.flash0', '/rom@etc/acpi/tables'], GIB, true],
  ['virt', 'riscv_virt_board.ram', ['virt.flash0', 'riscv_virt_board.mrom'], 2 * GIB, true],
  ['pc-q35-10.0', 'pc.ram', ['pc.bios', '0000:00:02.0/vga.vram'], 0, true],
  ['virt-7.2', 'backend0', ['virt.flash0'], GIB, true],
  // Distributions have machine types of their own.
  ['pc-i440fx-jammy-hpb', 'pc.ram', ['pc.bios'], 0, true],
  ['pc-i440fx-rhel7.6.0', 'pc.ram', ['pc.bios'], 0, true],
])('%s has its RAM %s where the machine has it', (machine, ram, others, gcPhys, known) => {
  const blocks = new RamBlocks();
  const block = blocks.add(ram, 64 * MIB);
  for (const name of others) expect(blocks.add(name, MIB).isRam).toBe(false);
  blocks.settle(machine);
  expect(blocks.layout).toEqual({ stretches: [{ offset: 0, size: 64 * MIB, gcPhys }], known });
  expect(blocks.gcPhysOf(block, MIB)).toBe(gcPhys + MIB);
});
