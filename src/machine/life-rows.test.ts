import { describe, expect, it } from 'vitest';
import { UsageError } from '../../formats/errors.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { HypervisorArea } from '../paging/mappings/hypervisor-area.ts';
import type { HostMode } from '../paging/modes.ts';
import { readMemoryConfig } from '../pgm/life/memory-config.ts';
import { HANDY_PAGES } from '../pgm/pages/handy-pages.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { specTable } from '../testing/spec-tables.ts';
import { LIFE } from './life.ts';
import type { Machine } from './machine.ts';

const RAM = 4 * MIB;
const RAW = { host: 'PAE+NX', hardware: false } as const;
const PAGED = { cr0: 0x8000_0011n, cr3: 0x10000n, cr4: 0x10n };

function partsOf({ rawMode }: Machine) {
  if (!rawMode) throw new Error('there is no raw mode');
  return rawMode;
}

/** Phases of a machine's life (guest-memory.md 12.2), each with what must be so after it. */
const PHASES: Readonly<Record<string, (machine: Machine) => void | Promise<void>>> = {
  'VM init'(machine) {
    // RAM first, then devices over it; raw mode's areas when it is known what has an address.
    const { ranges, roms, mmio2 } = machine.memory;
    expect(ranges.all[0]).toMatchObject({ kind: 'ram', start: 0 });
    expect([roms.all.length, mmio2.all.length]).toEqual([1, 1]);
    machine.usePaging(RAW);
    const names = partsOf(machine).area.all.map(({ description }) => description);
    for (const { kind, description, start } of ranges.all)
      if (kind === 'ram' && start < 2 ** 32) expect(names).toContain(description);
  },
  'Page manager init'(machine) {
    const { memory, cpus, statistics } = machine;
    expect(cpus.map(({ guestMode, latched }) => [guestMode, latched])).toEqual([
      ['real', undefined],
      ['real', undefined],
    ]);
    expect(cpus.every(({ id }) => memory.a20.isOn(id))).toBe(true);
    expect(statistics.valueOf('/MM/Reserved/cHandyPages')).toBe(HANDY_PAGES);
    expect(memory.pages.contentOf(memory.ranges.all[0], 0)).toEqual(new Uint8Array(PAGE_SIZE));
    const unknown = { host: '16-bit' as HostMode, hardware: true };
    expect(() => machine.usePaging(unknown)).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE' }),
    );
    const { cpus: shadowed, pool } = machine.usePaging(undefined, readMemoryConfig({ 'PGM/Pool/MaxPages': 60 }).pool);
    expect([pool.maxPages, ...shadowed.map(({ guestMode }) => guestMode)]).toEqual([64, 'real', 'real']);
  },
  'Per-CPU init'({ cpus }) {
    const [first, second] = cpus.map(({ registers, paging }) => ({ registers, paging }));
    expect(second).toEqual(first);
  },
  'Dynamic mapping'(machine) {
    machine.usePaging(RAW);
    const { all } = partsOf(machine).area;
    const at = all.findIndex(({ what }) => what === 'dynamic-area');
    expect([all[at].size, all[at + 1].what]).toEqual([16 * PAGE_SIZE, 'fence']);
    const late = new HypervisorArea(0xa000_0000 + 2 * MIB - 5 * PAGE_SIZE, 4 * MIB);
    const second = late.reserveWithin('dynamic-area', 'Dynamic mapping', 16 * PAGE_SIZE);
    expect([late.all.length, second.description]).toEqual([2, 'Dynamic mapping not crossing']);
  },
  Finalise(machine) {
    machine.usePaging(RAW);
    const raw = partsOf(machine);
    const dummy = raw.hostAt(raw.dynamicArea.base);
    expect(dummy).toBeGreaterThan(0);
    for (let page = 0; page < 16; page++) expect(raw.hostAt(raw.dynamicArea.base + page * PAGE_SIZE)).toBe(dummy);
    // With PSE-36 in CPUID large pages have 36 bits.
    machine.memory.writeU32(0x10000, 0x87 | (1 << 13));
    machine.cpus[0].setRegisters(PAGED);
    expect(machine.cpus[0].space()?.translate(0n)).toMatchObject({ gcPhys: 2 ** 32 });
    machine.finalise(true);
    const [range] = machine.memory.ranges.all;
    const isRam = (page: number) => range.type[page] === PageType.RAM;
    expect([...range.state].filter((state, page) => isRam(page) && state === PageState.ZERO)).toEqual([]);
  },
  'Relocate (delta)'(machine) {
    machine.usePaging(RAW);
    const { area } = partsOf(machine);
    const before = area.all.map(({ address }) => address);
    machine.relocate(4 * MIB);
    expect(area.all.map(({ address }) => address)).toEqual(before.map((address) => address + 4 * MIB));
    expect(LIFE.relocate.at(-1)?.what).toBe('pool');
  },
  Reset(machine) {
    machine.usePaging(RAW);
    machine.mappings.fix(0x9000_0000, 64 * MIB, false);
    machine.memory.write(0x3000, Uint8Array.of(1));
    machine.cpus[1].setRegisters(PAGED);
    machine.reset();
    expect([machine.mappings.fixed, machine.cpus[1].guestMode, machine.cpus[1].modeChanges]).toEqual([
      undefined,
      'real',
      0,
    ]);
    expect(machine.memory.readU32(0x3000)).toBe(0);
  },
  'Unplugged CPU reset'(machine) {
    for (const cpu of machine.cpus) cpu.setRegisters(PAGED);
    machine.memory.a20.set(1, false);
    machine.resetCpu(1);
    expect(machine.cpus.map(({ guestMode }) => guestMode)).toEqual(['32-bit', 'real']);
    expect([machine.memory.a20.isOn(1), machine.cpus[1].modeChanges]).toEqual([true, 0]);
    expect(() => machine.resetCpu(2)).toThrow(UsageError);
  },
  Term(machine) {
    const { host } = machine.memory.pages.backing;
    machine.close();
    expect(host.figures).toMatchObject({ allocatedPages: 0, reservedPages: 0 });
  },
};

describe('each phase of the page', () => {
  it('has a test here', () => {
    expect(Object.keys(PHASES)).toEqual(specTable('guest-memory.md', '12.2', 'Phase').map(([phase]) => phase));
  });

  it.each(Object.entries(PHASES))('%s', async (_, check) => {
    await check(await emptyMachine(RAM, { cpus: 2 }));
  });
});
