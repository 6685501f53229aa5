import { beforeEach, describe, expect, test } from 'vitest';
import { FOUR_GIB } from '../../../formats/sizes.ts';
import { GuestMemory } from '../../pgm/guest-memory.ts';
import { machineStatistics } from '../../pgm/machine-statistics.ts';
import { hierarchyOf } from '../hierarchy.ts';
import type { GuestDirectory } from '../mappings/guest-directory.ts';
import { GuestMappings } from '../mappings/guest-mappings.ts';
import { HypervisorPages } from '../mappings/hypervisor-pages.ts';
import { IntermediateContext } from '../mappings/intermediate-context.ts';
import { RawMode } from '../mappings/raw-mode.ts';
import type { PagingMode } from '../modes.ts';
import { NIL_INDEX } from '../pool/pool-pages.ts';
import { Reach } from './guest-access.ts';
import { shadowSpace } from './host-view.ts';
import { bindPagingStatistics } from './paging-statistics.ts';
import { ShadowPaging } from './shadow-paging.ts';
import type { Registers, ShadowPagingOptions } from './shadow-state.ts';

const REGISTERS: Record<PagingMode, Registers> = {
  real: { cr0: 0n, cr3: 0x1000n, cr4: 0n, efer: 0n },
  protected: { cr0: 1n, cr3: 0x1000n, cr4: 0n, efer: 0n },
  '32-bit': { cr0: 0x80000001n, cr3: 0x1000n, cr4: 0x10n, efer: 0n },
  pae: { cr0: 0x80000001n, cr3: 0x2020n, cr4: 0x20n, efer: 0n },
  'pae-nx': { cr0: 0x80000001n, cr3: 0x2020n, cr4: 0x20n, efer: 0x800n },
  amd64: { cr0: 0x80000001n, cr3: 0x3000n, cr4: 0x20n, efer: 0x500n },
  'amd64-nx': { cr0: 0x80000001n, cr3: 0x3000n, cr4: 0x20n, efer: 0xd00n },
};
const MODES = Object.keys(REGISTERS) as PagingMode[];
const FEATURES = { pse: true, pae: true, pge: true, pse36: true, nx: true, gigabytePages: true, longMode: true };
const HARDWARE = { host: 'AMD64+NX', hardware: true } as const;
const RAW = { host: 'AMD64+NX', hardware: false } as const;

let memory: GuestMemory;
let log: string[];

beforeEach(() => {
  memory = new GuestMemory();
  memory.registerRam(0, 4 << 20, 'Base RAM');
  // Each root maps the first megabytes by large pages: page n of the guest's is page n of memory.
  memory.writeU32(0x1000, 0xe7);
  for (let i = 0; i < 4; i++) memory.writeU64(0x2020 + 8 * i, BigInt(0x4001));
  memory.writeU64(0x3000, 0x5027n);
  memory.writeU64(0x5000, 0x4027n);
  memory.writeU64(0x4000, 0xe7n);
  log = [];
});

function newPaging(options: ShadowPagingOptions): ShadowPaging {
  return new ShadowPaging(
    memory,
    { poolPages: 64, ...options },
    {
      selectSwitcher: (switcher) => {
        log.push(switcher);
        return true;
      },
      notifyHardware: (shadow, guest) => log.push(`${shadow} for ${guest}`),
    },
  );
}

describe('mode changes', () => {
  test.each(MODES.flatMap((from) => MODES.filter((to) => to !== from).map((to) => [from, to] as const)))(
    '%s → %s: memory is reached in both',
    (from, to) => {
      for (const nestedPaging of [undefined, 'nested', 'ept'] as const) {
        const { cpus, pool } = newPaging({ ...HARDWARE, nestedPaging });
        const [cpu] = cpus;
        for (const mode of [from, to, from]) {
          const before = cpu.counts.modeChanges;
          expect(cpu.setRegisters(REGISTERS[mode])).toBe('ok');
          expect([cpu.guestMode, cpu.cr3.isSyncPending]).toEqual([mode, true]);
          expect(cpu.counts.modeChanges - before).toBe(mode === 'real' && before === 1 ? 0 : 1);
          expect(cpu.write(0x10_0123n, Uint8Array.of(7), 4)).toBe(-1);
          expect(memory.readU32(0x10_0123)).toBe(7);
          expect(cpu.hostAddress(0x10_0123, 0) >= 0).toBe(true);
          expect(cpu.cr3.isSyncPending).toBe(false);
          expect([...pool.inUse()].filter((table) => pool.isLocked(table))).toEqual([cpu.root]);
        }
      }
    },
  );

  test('choose the switcher first and tell the hardware layer last', () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    expect(log).toEqual(['AMD64_TO_PAE', 'pae for real']);
    cpu.setRegisters(REGISTERS['amd64-nx']);
    expect(log.slice(2)).toEqual(['AMD64_TO_AMD64', 'amd64 for amd64-nx']);
  });

  test('a switcher that is refused changes nothing', () => {
    const refusals: string[] = [];
    const paging = new ShadowPaging(memory, HARDWARE, {
      selectSwitcher: (switcher) => switcher !== 'AMD64_TO_AMD64',
      notifyHardware: (_, guest) => refusals.push(guest),
    });
    const [cpu] = paging.cpus;
    const root = cpu.root;
    expect(cpu.setRegisters(REGISTERS.amd64)).toBe('switcher-refused');
    expect([cpu.guestMode, cpu.shadowMode, cpu.root, cpu.counts.modeChanges]).toEqual(['real', 'pae', root, 2]);
    expect(refusals).toEqual(['real']);
  });

  test('PAE is refused to guests that have none by CPUID, and the hardware layer does not hear of it', () => {
    const [cpu] = newPaging({ ...HARDWARE, features: { ...FEATURES, pae: false } }).cpus;
    expect(cpu.setRegisters(REGISTERS.pae)).toBe('pae-disabled');
    expect(cpu.guestMode).toBe('pae');
    expect(log).toEqual(['AMD64_TO_PAE', 'pae for real', 'AMD64_TO_PAE']);
  });

  test('raw mode: a guest that switches paging off keeps its tables', () => {
    const [cpu] = newPaging({ ...RAW, host: '32-bit' }).cpus;
    expect(cpu.shadowMode).toBe('32-bit');
    cpu.setRegisters(REGISTERS.pae);
    expect(cpu.shadowMode).toBe('pae');
    expect(cpu.setRegisters(REGISTERS.real)).toBe('ok');
    expect([cpu.shadowMode, log.at(-1)]).toEqual(['pae', 'pae for real']);
    expect(cpu.reach(0x5000, 0)).toBeGreaterThan(0);
  });

  test('what cannot be shadowed is emulated', () => {
    const [cpu] = newPaging(RAW).cpus;
    cpu.setRegisters(REGISTERS.amd64);
    expect(cpu.setRegisters(REGISTERS.protected)).toBe('not-combinable');
    expect(cpu.reach(0x5000, 0)).toBe(Reach.EMULATE);
    expect(cpu.write(0x5000n, Uint8Array.of(9))).toBe(-1);
    expect(memory.readU32(0x5000) & 0xff).toBe(9);
  });

  test('CR3 that leads to no memory: every access faults, until it leads somewhere', () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    expect(cpu.setRegisters({ ...REGISTERS.amd64, cr3: 0x1000_0000n })).toBe('cr3-not-in-memory');
    expect([cpu.root, cpu.cr3.flags.mapCr3]).toEqual([NIL_INDEX, true]);
    expect(cpu.read(0x1000n, new Uint8Array(1), 4)).toBe(0b1101);
    expect([cpu.cr2, cpu.faultCode]).toEqual([0x1000n, 0b1101]);
    expect(cpu.loadCr3(0x3000n)).toBe('ok');
    expect(cpu.read(0x1000n, new Uint8Array(1))).toBe(-1);
  });

  test('CR3 whose page somebody else watches: no root, all is emulated', () => {
    memory.handlers.register({
      kind: 'write',
      start: 0x3800,
      end: 0x3900,
      description: 'other',
      callback: () => 'default',
    });
    const [cpu] = newPaging(HARDWARE).cpus;
    cpu.setRegisters(REGISTERS.amd64);
    expect([cpu.root, cpu.reach(0x1000, 0)]).toEqual([NIL_INDEX, Reach.EMULATE]);
  });
});

describe('CR3', () => {
  test('legacy PAE: pointers count as of the load, also of the same value', () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    cpu.setRegisters(REGISTERS.pae);
    expect(cpu.read(0x4000_0000n, new Uint8Array(1))).toBe(-1);
    memory.writeU64(0x2028, 0n);
    expect(cpu.read(0x4000_0000n, new Uint8Array(1))).toBe(-1);
    const before = { ...cpu.counts };
    cpu.loadCr3(0x2020n);
    expect(cpu.counts).toMatchObject({
      newCr3: before.newCr3,
      newCr3Global: before.newCr3Global,
      sameCr3Global: before.sameCr3Global + 1,
    });
    expect(cpu.read(0x4000_0000n, new Uint8Array(1))).toBe(0);
    expect(cpu.read(0n, new Uint8Array(1))).toBe(-1);
  });

  test('two CPUs with one CR3 and different latched pointers don’t see each other’s', () => {
    const { cpus } = newPaging({ ...HARDWARE, cpus: 2 });
    cpus[0].setRegisters(REGISTERS.pae);
    memory.writeU64(0x2028, 0n);
    cpus[1].setRegisters(REGISTERS.pae);
    for (let i = 0; i < 2; i++) expect(cpus.map((cpu) => cpu.read(0x4000_0000n, new Uint8Array(1)))).toEqual([-1, 0]);
  });

  test('CPUs that read entries differently share no tables', () => {
    const { cpus } = newPaging({ ...HARDWARE, cpus: 2 });
    cpus[0].setRegisters(REGISTERS['32-bit']);
    cpus[1].setRegisters({ ...REGISTERS['32-bit'], cr4: 0n });
    // With CR4.PSE off the large page's entry names a table at 0, whose entry for this address is the directory's word
    // at 0x1000… of zeros.
    for (let i = 0; i < 2; i++) expect(cpus.map((cpu) => cpu.read(0x10_0000n, new Uint8Array(1)))).toEqual([-1, 0]);
  });

  test('the toggle "always" keeps the sync pending', () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    cpu.setRegisters(REGISTERS.amd64);
    cpu.cr3.flags.always = true;
    const { syncGlobal } = cpu.counts;
    for (let i = 0; i < 3; i++) cpu.reach(0x1000, 0);
    expect([cpu.counts.syncGlobal - syncGlobal, cpu.cr3.isSyncPending]).toEqual([3, true]);
  });

  test('raw mode: mappings make room for the guest at a sync', () => {
    const paging = newPaging(RAW);
    const [cpu] = paging.cpus;
    const pages = new HypervisorPages();
    const context = new IntermediateContext(pages.allocate);
    const rawMode = new RawMode(new GuestMappings(context, pages.allocate), context, pages, []);
    const { mappings, mapping } = rawMode;
    paging.rawMode = rawMode;
    const place = mapping.start;
    cpu.setRegisters(REGISTERS['32-bit']);
    cpu.reach(0x1000, 0);
    expect(mapping.start).toBe(place);
    memory.writeU32(0x1000 + 4 * Math.floor(place / (4 << 20)), 0xe7);
    cpu.loadCr3(0x1000n);
    cpu.reach(0x1000, 0);
    expect([mapping.conflicts, mapping.history, mapping.start === place]).toEqual([1, [place], false]);
    const used: GuestDirectory = { isPresent: (at) => at < FOUR_GIB && at === place, pae: false };
    expect(mappings.conflictsWith(used)).toEqual([]);
  });
});

test('counts are shown by VirtualBox’s names', () => {
  const paging = newPaging({ ...HARDWARE, cpus: 2 });
  const statistics = machineStatistics(memory, 2);
  bindPagingStatistics(statistics, paging);
  paging.cpus[1].setRegisters(REGISTERS.amd64);
  paging.cpus[1].loadCr3(0x3000n);
  paging.cpus[1].reach(0, 0);
  const shown = Object.fromEntries(statistics.list('/PGM/CPU1/*').map(({ path, value }) => [path, value]));
  expect(shown).toMatchObject({
    '/PGM/CPU1/R3/FlushTLB/SameCR3Global': 1,
    '/PGM/CPU1/R3/SyncCR3/Global': 1,
  });
});

describe('the pool', () => {
  test('prefetch brings in what is accessed already, and sets no bits', () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    memory.writeU64(0x4008, 0x20_0087n);
    cpu.setRegisters(REGISTERS.amd64);
    cpu.reach(0, 0);
    cpu.prefetch(0x5000n);
    expect(cpu.hostAddress(0x5000, 0) >= 0).toBe(true);
    cpu.prefetch(0x20_5000n);
    expect(cpu.hostAddress(0x20_5000, 0)).toBe(-1);
    expect(memory.readU64(0x4008)).toBe(0x20_0087n);
  });

  test('is built anew after it was flushed', () => {
    const paging = newPaging(HARDWARE);
    const [cpu] = paging.cpus;
    cpu.setRegisters(REGISTERS.amd64);
    cpu.reach(0x1000, 0);
    paging.flushAll();
    expect([...paging.pool.inUse()]).toEqual([cpu.root]);
    expect([...paging.pool.tracking.frames()]).toEqual([]);
    expect(cpu.reach(0x1000, 0)).toBeGreaterThan(0);
  });

  test('keeps nothing of a guest table that was ballooned', () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    cpu.setRegisters(REGISTERS.amd64);
    expect(cpu.read(0x1000n, new Uint8Array(1))).toBe(-1);
    memory.pages.apply('balloon', memory.ranges.get(0x4000), 4);
    expect(cpu.hostAddress(0x1000, 0)).toBe(-1);
    expect(cpu.read(0x1000n, new Uint8Array(1))).toBe(0b1001);
    memory.pages.apply('deflate', memory.ranges.get(0x4000), 4);
    expect(cpu.read(0x1000n, new Uint8Array(1))).toBe(0);
    memory.writeU64(0x4000, 0xe7n);
    expect(cpu.read(0x1000n, new Uint8Array(1))).toBe(-1);
  });

  test('shows its tables like a guest’s, with host-physical addresses', async () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    expect(cpu.setRegisters(REGISTERS['amd64-nx'])).toBe('ok');
    cpu.write(0x10_0123n, Uint8Array.of(1));
    const space = shadowSpace(cpu) as NonNullable<ReturnType<typeof shadowSpace>>;
    const { entries, complete } = await hierarchyOf(space);
    expect(complete).toBe(true);
    expect(entries.slice(0, 4).map(({ name }) => name)).toEqual(['PML4', 'PDPT', 'PD', 'PT']);
    expect(entries.slice(0, 3).every(({ gcPhys }) => space.memory.holdsTables(gcPhys))).toBe(true);
    const leaf = entries.find(({ name, virtual }) => name === 'PT' && virtual === 0x10_0000n);
    expect(leaf?.gcPhys).toBe(memory.ranges.get(0).pageId[0x100] * 4096);
    const byte = new Uint8Array(1);
    space.read(0x10_0123n, byte);
    expect([...byte]).toEqual([1]);
    expect(() => space.write(0x10_0123n, byte)).toThrow(/pool keeps them/);
  });

  test('refuses sizes and CPUs that do not fit', () => {
    for (const options of [{ poolPages: 15 }, { poolPages: 0x4000 }, { cpus: 0 }, { cpus: 3, poolPages: 32 }]) {
      expect(() => newPaging({ ...HARDWARE, ...options })).toThrow(/^Cannot/);
    }
  });

  test('writes are refused while the machine is saved for good', () => {
    const [cpu] = newPaging(HARDWARE).cpus;
    cpu.setRegisters(REGISTERS.amd64);
    cpu.write(0x10_0000n, Uint8Array.of(1));
    memory.setNoMorePhysWrites(true);
    expect(() => cpu.write(0x10_0000n, Uint8Array.of(2))).toThrow(expect.objectContaining({ code: 'no-more-writes' }));
    memory.setNoMorePhysWrites(false);
    expect(memory.readU32(0x10_0000)).toBe(1);
  });
});
