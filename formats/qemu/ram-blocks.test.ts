import { expect, it } from 'vitest';
import { FOUR_GIB, GIB, MIB } from '../sizes.ts';
import { rangesOf } from './guest-layout.ts';
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
  expect(blocks.layout).toEqual({ stretches: [{ offset: 0, size: 64 * MIB, gcPhys }], ofType: known, known });
  expect(blocks.gcPhysOf(block, MIB)).toBe(gcPhys + MIB);
});

/** As `info mtree` of QEMU 10 shows them; the list of a stream is in the order of sizes. */
it.each<[string, [string, number][], Record<string, [offset: number, gcPhys: number][]>, boolean]>([
  [
    'pc-q35-10.0',
    [
      ['d0', 128 * MIB],
      ['pc.ram', 64 * MIB],
    ],
    { 'pc.ram': [[0, 0]], d0: [[0, FOUR_GIB]] },
    false,
  ],
  [
    'pc-i440fx-10.0',
    [
      ['ram-node1', 3 * GIB],
      ['ram-node0', 2 * GIB],
    ],
    {
      'ram-node0': [[MIB, MIB]],
      'ram-node1': [
        [0, 2 * GIB],
        [GIB, FOUR_GIB],
        [2 * GIB, 5 * GIB],
      ],
    },
    true,
  ],
  ['microvm', [['microvm.ram', 4 * GIB]], { 'microvm.ram': [[3 * GIB, FOUR_GIB]] }, true],
  ['isapc', [['pc.ram', 32 * MIB]], { 'pc.ram': [[MIB, MIB]] }, true],
])('%s has several blocks of RAM in the order of their names, and DIMMs on top', (machine, list, places, known) => {
  const blocks = new RamBlocks();
  for (const [name, size] of list) blocks.add(name, size);
  blocks.settle(machine);
  expect(blocks.layout.known).toBe(known);
  for (const [name, all] of Object.entries(places))
    for (const [offset, gcPhys] of all) {
      const block = blocks.all.find((each) => each.name === name);
      if (!block) throw new Error(name);
      expect(blocks.gcPhysOf(block, offset)).toBe(gcPhys);
      expect(blocks.ramBlockAt(gcPhys / 4096)).toBe(block.id);
    }
});

it('RAM of PCs before QEMU 2.4, whose states name no type, lies where the CMOS of the clock says, or below the hole', () => {
  const layoutOf = (size: number, low?: number) => {
    const blocks = new RamBlocks();
    blocks.add('pc.ram', size);
    blocks.settle(undefined, low);
    return blocks.layout;
  };
  const all = { stretches: [{ offset: 0, size: 2 * GIB, gcPhys: 0 }], ofType: true, known: true };
  expect(layoutOf(2 * GIB)).toEqual(all);
  expect(layoutOf(4 * GIB, 3.5 * GIB)).toMatchObject({ known: true, stretches: [{}, { gcPhys: FOUR_GIB }] });
  expect(layoutOf(4 * GIB)).toMatchObject({ known: false, ofType: false });
});

/** As `info mtree` of QEMU 10 shows them, of a q35 with `pflash0` and of one with a DIMM. */
it.each(['system.flash0', 'pc.bios'])(
  'the firmware of a PC, %s, ends with the first 4 GiB, whatever else is plugged',
  (name) => {
    const blocks = new RamBlocks();
    for (const ram of ['pc.ram', 'dimm']) blocks.add(ram, 64 * MIB);
    const firmware = blocks.add(name, MIB);
    blocks.settle('pc-q35-10.0');
    expect(blocks.layout.known).toBe(false);
    expect(rangesOf(firmware, blocks.layout)).toEqual([{ start: FOUR_GIB - MIB, end: FOUR_GIB, offset: 0 }]);
    expect(rangesOf(firmware, { ...blocks.layout, ofType: false })).toEqual([]);
  },
);
