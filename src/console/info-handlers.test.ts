import { describe, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { Console } from './console.ts';

const RAW = { host: 'PAE+NX', hardware: false } as const;
const callback = () => 'done' as const;

/** A machine with a handler of each kind; the written one was called three times. */
async function watchedMachine() {
  const machine = await emptyMachine(4 * MIB);
  const { handlers } = machine.memory;
  handlers.register({ kind: 'write', start: 0x2000, end: 0x2010, description: 'written', callback });
  handlers.register({ kind: 'write', start: 0x2010, end: 0x2020, description: 'quiet', callback });
  const { virtualHandlers } = machine.usePaging(RAW);
  const [start, raw] = [0x20_0000n, { callback: 0xa000_1000, user: 1 }];
  virtualHandlers.register({ kind: 'write', start, end: start + 16n, description: 'virtual', callback, raw });
  virtualHandlers.register({ kind: 'hypervisor', start, end: start + 16n, description: 'own', raw });
  const [cpu] = machine.cpus;
  cpu.setRegisters({ cr0: 0x8001_0011n, cr3: 0x10000n, cr4: 0x10n, efer: 0n });
  machine.memory.writeU32(0x10000, 0x87);
  cpu.setRegisters({ cr3: 0x10000n });
  for (let i = 0; i < 3; i++) machine.memory.write(0x2000, Uint8Array.of(1));
  for (let i = 0; i < 2; i++) cpu.write(start, Uint8Array.of(1));
  return { machine, console: new Console(machine) };
}

describe('info handlers', () => {
  it('tells below a physical handler how often it was called, and how long that took', async () => {
    const { machine, console } = await watchedMachine();
    const { text, rows } = await console.run('info handlers phys');
    const lines = text.split('\n');
    const at = lines.findIndex((line) => line.includes('written'));
    const { calls } = machine.memory.handlers.list.get(0x2000);
    const { ticks, min, max } = calls;
    expect(calls.periods).toBe(3);
    expect(min * 3).toBeLessThanOrEqual(ticks);
    // In the columns of console.md 1.4.
    const field = (value: number, width: number) => String(value).padStart(width, ' ');
    expect(lines[at + 1]).toBe(
      `   cPeriods:         3  cTicks: ${field(ticks, 11)}  Min: ${field(min, 11)}  Avg: ${field(Math.floor(ticks / 3), 11)} Max: ${field(max, 11)}`,
    );
    const quiet = lines.findIndex((line) => line.includes('quiet'));
    expect(lines[quiet + 1]).not.toContain('cPeriods');
    expect(rows).toContainEqual(
      expect.objectContaining({ description: 'written', calls: { periods: 3, ticks, min, max } }),
    );
  });

  it('leaves counts and times out with nost, which alone shows nothing', async () => {
    const { console } = await watchedMachine();
    const { text, rows } = await console.run('info handlers all nost');
    expect(text).toContain('written');
    expect(text).not.toContain('cPeriods');
    expect(rows?.every((row) => !('calls' in row))).toBe(true);
    expect((await console.run('info handlers nost')).text).toBe('');
  });

  it('has virtual and hypervisor handlers, and their calls among the statistics', async () => {
    const { console } = await watchedMachine();
    expect((await console.run('info handlers virt hyper')).text.split('\n')).toEqual([
      'Virtual handlers:',
      'From     - To (excl) HandlerHC HandlerGC Type     Description',
      '0000000000200000 - 000000000020000f  0000000000000000  a0001000  Write    virtual',
      'Hypervisor Virtual handlers:',
      'From     - To (excl) HandlerHC HandlerGC Type     Description',
      '0000000000200000 - 000000000020000f  0000000000000000  a0001000  WriteHyp   own',
    ]);
    const path = '/PGM/VirtHandler/Calls/0000000000200000-000000000020000f';
    expect((await console.run('stats /PGM/VirtHandler/*')).rows).toMatchObject([{ path, value: { periods: 2 } }]);
    await console.run('statsreset /PGM/VirtHandler/*');
    expect((await console.run('stats /PGM/VirtHandler/*')).rows).toMatchObject([{ path, value: { periods: 0 } }]);
  });

  it('counts go on when a handler moves, and begin anew for a part that is split off', async () => {
    const { machine } = await watchedMachine();
    const { handlers, ranges } = machine.memory;
    expect(ranges.find(0x2000)).toBeDefined();
    handlers.changeCallback(0x2000, () => 'default');
    handlers.modify(0x2000, 0x4000, 0x4010);
    expect(handlers.list.get(0x4000).calls.periods).toBe(3);
    handlers.split(0x4000, 0x4008);
    expect([0x4000, 0x4008].map((start) => handlers.list.get(start).calls.periods)).toEqual([3, 0]);
  });
});
