import { describe, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { DirtyTracker } from '../live-save/dirty-tracker.ts';
import { bindLiveStatistics } from '../live-save/live-counters.ts';
import { globMatcher } from '../pgm/statistics/glob.ts';
import { STAYS_ZERO } from '../pgm/statistics/stays-zero.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { RunningMachine } from '../running/running-machine.ts';

const RAW = { host: 'PAE+NX', hardware: false } as const;

describe('every registered statistic', () => {
  it('is moved by an event of the machine, or stays 0 for a reason; none does both', async () => {
    const machine = await emptyMachine(4 * MIB, { cpus: 2 });
    const { statistics } = machine;
    machine.usePaging(RAW);
    bindLiveStatistics(statistics, () => new DirtyTracker(machine.memory, 'test').counts);
    const matchers = Object.keys(STAYS_ZERO).map((pattern) => ({ pattern, matches: globMatcher(pattern) }));
    const used = new Set<string>();
    const wrong: string[] = [];
    for (const path of statistics.paths) {
      const found = matchers.filter(({ matches }) => matches(path));
      for (const { pattern } of found) used.add(pattern);
      if (statistics.isBound(path) !== (found.length === 0)) wrong.push(`${path}: ${found.map((f) => f.pattern)}`);
    }
    expect(wrong).toEqual([]);
    expect(Object.keys(STAYS_ZERO).filter((pattern) => !used.has(pattern))).toEqual([]);
    expect(statistics.paths.filter((path) => !path.includes('/CPU1/'))).toHaveLength(274 + 5);
    for (const reason of Object.values(STAYS_ZERO)) expect(reason.length).toBeGreaterThan(20);
  });
});

describe('a guest with page tables of its own', () => {
  it('moves what it does, each time with its ticks', async () => {
    const running = RunningMachine.of(await emptyMachine(8 * MIB, { cpus: 2 }), { kind: 'paging', pages: 50 });
    const { statistics, memory, cpus } = running.machine;
    const shadow = running.machine.usePaging(RAW);
    running.runSteps(1000);
    const [cpu] = cpus;
    cpu.setRegisters({ cr0: 0x8001_0011n, cr3: 0x10000n, cr4: 0x10n, efer: 0n });
    memory.writeU32(0x10000, 0x87);
    memory.writeU32(0x10004, 0x4000_0087);
    memory.handlers.register({
      kind: 'write',
      start: 0x20_0000,
      end: 0x20_0010,
      description: 't',
      callback: () => 'done',
    });
    const callback = () => 'done' as const;
    shadow.virtualHandlers.register({ kind: 'write', start: 0x21_0000n, end: 0x21_0010n, description: 'v', callback });
    cpu.setRegisters({ cr3: 0x10000n });
    for (const at of [0x20_0000n, 0x20_0800n, 0x21_0000n, 0xe2000n, 0x40_0000n, 0x30_0000n])
      cpu.write(at, Uint8Array.of(1), 2);
    cpu.read(0x8000_0000n, new Uint8Array(1));
    cpu.write(0x8000_0000n, new Uint8Array(1), 4);
    cpu.invalidatePage(0n);
    const moved = statistics
      .list('/PGM/*')
      .filter(({ value }) => (typeof value === 'number' ? value : value.periods) > 0);
    const names = moved.map(({ path }) => path.replace(/CPU\d/, 'CPU'));
    for (const name of [
      ...['Track/Virgin', 'R3/SyncCR3/Handlers/VirtualUpdate', 'R3/SyncCR3/Handlers/VirtualReset'],
      ...['R3/VirtHandlerSearchByPhys', 'R3/Phys/Write', 'RZ/Page/ReplacedZero'],
      ...['cGuestModeChanges', 'RZ/Trap0e', 'RZ/Trap0e/Time2/GuestTrap', 'RZ/Trap0e/Time2/OutOfSync'].map(
        (n) => `CPU/${n}`,
      ),
      ...['RZ/Trap0e/Time2/HandlerPhysical', 'RZ/Trap0e/Time2/HandlerVirtual', 'RZ/Trap0e/GuestPF'].map(
        (n) => `CPU/${n}`,
      ),
      ...['RZ/Trap0e/Time2/DirtyAndAccessedBits', 'RZ/Trap0e/Handlers/Physical', 'RZ/SyncPT/4K'].map((n) => `CPU/${n}`),
      ...['RZ/Trap0e/Handlers/VirtualByPhys', 'RZ/Trap0e/Handlers/Invalid', 'RZ/SyncPT/4M'].map((n) => `CPU/${n}`),
      ...['RZ/Trap0e/Err/Supervisor/NPRead', 'RZ/Trap0e/Err/User/NPWrite', 'RZ/DirtyPage/SetDirty'].map(
        (n) => `CPU/${n}`,
      ),
      ...['R3/SyncCR3', 'R3/FlushTLB', 'R3/InvalidatePage', 'R3/InvalidatePage/4MBPages'].map((n) => `CPU/${n}`),
    ])
      expect(names).toContain(`/PGM/${name}`);
    for (const { path, value } of moved)
      if (typeof value !== 'number')
        expect([path, value.min > 0, value.max <= value.ticks]).toEqual([path, true, true]);
    statistics.reset('/PGM/CPU0/*');
    expect(statistics.valueOf('/PGM/CPU0/RZ/Trap0e')).toMatchObject({ periods: 0 });
    expect(statistics.valueOf('/PGM/CPU1/RZ/Trap0e')).not.toMatchObject({ periods: 0 });
  });
});
