import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { PageState, RomProtection } from '../pgm/pages/page-states.ts';
import { bytesAt } from '../pgm/testing/memory-checks.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { LIFE, type LifePhase } from './life.ts';
import type { Machine } from './machine.ts';

const RAW = { host: 'PAE+NX', hardware: false } as const;
/** Tables of a 32-bit guest: 4 MiB at 0. */
const PAGED = { cr0: 0x8000_0011n, cr3: 0x10000n, cr4: 0x10n };

async function pagedMachine(host?: Parameters<Machine['usePaging']>[0]): Promise<Machine> {
  const machine = await emptyMachine(8 * MIB, { cpus: 2 });
  machine.memory.writeU32(0x10000, 0x87);
  if (host) machine.usePaging(host);
  for (const cpu of machine.cpus) cpu.setRegisters(PAGED);
  return machine;
}

/** The order of guest-memory.md 12.2; a phase that gets another step has to be told there. */
describe('the table of a machine’s life', () => {
  it.each(
    Object.entries({
      finalise: ['all RAM is allocated where that is wanted'],
      relocate: [
        'area of the guest’s root tables',
        'mode data of each CPU',
        'trees of handlers',
        'RAM ranges',
        'MMIO2 ranges',
        'mappings and their page tables',
        'dynamic area',
        'fences',
        'zero page',
        'physical handlers',
        'virtual handlers',
        'hypervisor handlers',
        'pool',
      ],
      reset: [
        'mappings float',
        'every CPU leaves its guest’s mode',
        'every CPU is in real mode',
        'the pool is empty',
        'every A20 gate is open, and no sync pending',
        'RAM',
        'ROM',
      ],
      unplug: [
        'the CPU leaves its guest’s mode',
        'the CPU is in real mode',
        'its A20 gate is open, and no sync pending',
      ],
      term: ['the host gets all pages back'],
    } satisfies Record<LifePhase, string[]>),
  )('has for %s the steps in VirtualBox’s order', (phase, steps) => {
    expect(LIFE[phase as LifePhase].map(({ what }) => what)).toEqual(steps);
  });
});

describe('init', () => {
  it('begins in real mode, A20 on', async () => {
    const machine = await emptyMachine(4 * MIB, { cpus: 3 });
    expect(machine.cpus.map(({ guestMode, modeChanges }) => [guestMode, modeChanges])).toEqual(
      Array(3).fill(['real', 0]),
    );
    expect(machine.cpus.every(({ id }) => machine.memory.a20.isOn(id))).toBe(true);
  });
});

describe('finalise', () => {
  it('allocates all RAM, which stays allocated through a reset', async () => {
    const machine = await emptyMachine(4 * MIB);
    machine.finalise(true);
    const zero = () => machine.memory.ranges.all.flatMap(({ kind, state }) => (kind === 'ram' ? [...state] : []));
    const { private: allocated } = machine.memory.pages.counts;
    expect(zero().filter((state) => state === PageState.ZERO)).toEqual([]);
    machine.memory.write(2 * MIB, Uint8Array.of(5));
    machine.reset();
    expect([bytesAt(machine.memory, 2 * MIB, 1), machine.memory.pages.counts.private]).toEqual([[0], allocated]);
  });
});

describe('relocate', () => {
  it('moves all parts of raw mode twice, and counts one relocation', async () => {
    const machine = await pagedMachine(RAW);
    const { rawMode, memory, shadow } = machine;
    if (!rawMode || !shadow) throw new Error('there is no raw mode');
    const raw = [
      { callback: 0xff40_1000, user: 0xffff },
      { callback: 0xff40_2000, user: 0x1_0000 },
    ];
    memory.handlers.register({
      kind: 'write',
      start: 0x5000,
      end: 0x5010,
      description: 'p',
      callback: () => 'default',
      raw: raw[0],
    });
    const virtual = { callback: 0xff40_3000, user: 0 };
    const start = 0x8000_0000n;
    const end = start + 0x1000n;
    shadow.virtualHandlers.register({ kind: 'hypervisor', start, end, description: 'h', raw: raw[1] });
    shadow.virtualHandlers.register({
      kind: 'write',
      start,
      end,
      description: 'v',
      callback: () => 'default',
      raw: virtual,
    });
    const before = rawMode.area.all.map(({ address }) => address);
    const [cr3, dynamic] = [rawMode.cr3Area.base, rawMode.dynamicArea.base];
    const counted = machine.statistics.valueOf('/PGM/cRelocations') as number;
    machine.relocate(0x40_0000);
    expect(rawMode.area.all.map(({ address }) => address)).toEqual(before.map((address) => address + 0x40_0000));
    expect([rawMode.cr3Area.base, rawMode.dynamicArea.base]).toEqual([cr3 + 0x40_0000, dynamic + 0x40_0000]);
    expect(raw).toEqual([
      { callback: 0xff80_1000, user: 0xffff },
      { callback: 0xff80_2000, user: 0x41_0000 },
    ]);
    expect(virtual).toEqual({ callback: 0xff80_3000, user: 0 });
    expect(machine.statistics.valueOf('/PGM/cRelocations')).toBe(counted + 1);
  });

  it('comes with a move of the mapping out of the guest’s way', async () => {
    const machine = await pagedMachine(RAW);
    const { rawMode, cpus } = machine;
    if (!rawMode) throw new Error('there is no raw mode');
    const [before] = rawMode.area.all;
    const [from, place] = [before.address, rawMode.mapping.start];
    machine.memory.writeU32(0x10000 + 4 * Math.floor(place / (4 * MIB)), 0x87);
    cpus[0].setRegisters({ cr3: 0x10000n });
    cpus[0].read(0x1000n, new Uint8Array(1));
    expect(rawMode.mapping.conflicts).toBe(1);
    expect(before.address - from).toBe(rawMode.mapping.start - place);
    expect(machine.statistics.valueOf('/PGM/cRelocations')).toBe(1);
  });

  it('lays areas out within 2 MiB, with fences', async () => {
    const { rawMode } = await pagedMachine(RAW);
    if (!rawMode) throw new Error('there is no raw mode');
    const kinds = rawMode.area.all.map(({ what }) => what);
    expect(kinds.slice(0, 4)).toEqual(['cr3-area', 'fence', 'dynamic-area', 'fence']);
    for (const { address, size, what } of rawMode.area.all)
      if (what.endsWith('area'))
        expect(Math.floor(address / (2 * MIB))).toBe(Math.floor((address + size - 1) / (2 * MIB)));
  });
});

describe('reset', () => {
  it.each([
    ['without shadow tables', undefined],
    ['with shadow tables', { host: 'AMD64+NX', hardware: true }],
    ['with nested paging', { host: 'AMD64+NX', hardware: true, nestedPaging: 'ept' }],
    ['in raw mode', RAW],
  ] as const)('brings CPUs, memory and mappings to where they were at power-on, %s', async (_, host) => {
    const machine = await pagedMachine(host);
    const { memory, cpus, mappings, shadow } = machine;
    const [rom] = memory.roms.all;
    mappings.fix(0x9000_0000, 64 * MIB, false);
    memory.roms.protect(rom.start, PAGE_SIZE, RomProtection.READ_ROM_WRITE_RAM);
    memory.write(rom.start, Uint8Array.of(9), 'device');
    memory.balloon.inflate([0x30_0000]);
    memory.a20.set(1, false);
    for (const cpu of cpus) cpu.write(0x3000n, Uint8Array.of(cpu.id));
    machine.reset();
    expect(cpus.map(({ guestMode, modeChanges }) => [guestMode, modeChanges])).toEqual([
      ['real', 0],
      ['real', 0],
    ]);
    expect([mappings.fixed, mappings.restoredFixed, memory.a20.isOn(1)]).toEqual([undefined, undefined, true]);
    expect(memory.a20.changesOf(1)).toBe(0);
    expect([bytesAt(memory, 0x3000, 1), rom.shadowId(0), rom.protection[0]]).toEqual([
      [0],
      0,
      RomProtection.READ_ROM_WRITE_IGNORE,
    ]);
    expect([memory.pages.counts.ballooned, memory.pages.backing.account.balloonedPages]).toEqual([0, 0]);
    expect(shadow?.cpus.map(({ cr3 }) => cr3.isSyncPending) ?? [false, false]).toEqual([false, false]);
    // The machine goes on.
    memory.writeU32(0x10000, 0x87);
    cpus[1].setRegisters(PAGED);
    cpus[1].write(0x4000n, Uint8Array.of(8));
    expect(bytesAt(memory, 0x4000, 1)).toEqual([8]);
  });

  it('leaves ROM as it is where RAM could not be reset', async () => {
    const machine = await pagedMachine();
    const [rom] = machine.memory.roms.all;
    const { pages } = machine.memory;
    pages.flush = () => {
      throw new Error('the host is gone');
    };
    expect(() => machine.reset()).toThrow('the host is gone');
    expect(rom.protection[0]).toBe(RomProtection.READ_RAM_WRITE_RAM);
  });

  it('of an unplugged CPU leaves the others alone', async () => {
    const machine = await pagedMachine({ host: 'AMD64', hardware: true });
    for (const { id } of machine.cpus) machine.memory.a20.set(id, false);
    machine.resetCpu(1);
    expect(machine.cpus.map(({ guestMode }) => guestMode)).toEqual(['32-bit', 'real']);
    expect(machine.cpus[1].modeChanges).toBe(0);
    expect([machine.memory.a20.isOn(0), machine.memory.a20.isOn(1)]).toEqual([false, true]);
    expect(() => machine.resetCpu(2)).toThrow(/has 2/);
  });
});

it('term gives the host all pages back', async () => {
  const machine = await pagedMachine({ host: 'AMD64', hardware: true });
  const { host } = machine.memory.pages.backing;
  machine.close();
  expect(host.figures).toMatchObject({ allocatedPages: 0, reservedPages: 0 });
});
