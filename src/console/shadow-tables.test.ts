import { describe, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { intermediateTables } from './intermediate-tables.ts';
import { ConsoleSession } from './session.ts';
import { shadowTables } from './shadow-tables.ts';

async function rawSession(host: '32-bit' | 'PAE' | 'AMD64') {
  const machine = await emptyMachine(4 * MIB);
  machine.usePaging({ host, hardware: false });
  const { rawMode } = machine;
  if (!rawMode) throw new Error('there is no raw mode');
  return { machine, rawMode, session: new ConsoleSession(machine) };
}

/** All lines of the tables. */
const dump = (session: ConsoleSession): string[] => shadowTables(session, 3).text.trimEnd().split('\n');

describe.each(['32-bit', 'PAE'] as const)('shadow tables on a %s host in raw mode', (host) => {
  it('show mappings with an m, and the pages of the hypervisor below', async () => {
    const { session, rawMode } = await rawSession(host);
    const lines = dump(session);
    const marked = lines.filter((line) => line.includes(' 0m-  '));
    expect(marked).toHaveLength(host === '32-bit' ? 2 : 4);
    expect(marked[0]).toMatch(new RegExp(`^${rawMode.mapping.start.toString(16)} `));
    const page = lines.find(
      (line) => line.startsWith(`${rawMode.area.all[0].address.toString(16)} `) && !line.includes('m-'),
    );
    expect(page).toMatch(host === '32-bit' ? /1 {2}\| {3}P W S A D/ : /2 {3}\| {2}P W S A D/);
    expect(lines.join('\n')).not.toContain('error');
  });

  it('say where a directory names another table than the mapping’s, and go on with that', async () => {
    const { session, rawMode } = await rawSession(host);
    const before = dump(session).length;
    const { paging, root } = session.shadowCpu();
    const wide = host === 'PAE';
    const directory = wide ? paging.pool.childOf(root, rawMode.mapping.start >>> 30) : root;
    const slot = (rawMode.mapping.start >>> (wide ? 21 : 22)) & (wide ? 511 : 1023);
    const low = paging.pool.tables.low(directory, slot, wide);
    paging.pool.tables.set(directory, slot, wide, (low ^ 0x1000) >>> 0, paging.pool.tables.high(directory, slot, wide));
    const lines = dump(session);
    expect(lines).toHaveLength(before + 1);
    expect(lines.find((line) => line.includes('error'))).toMatch(
      new RegExp(
        `^${rawMode.mapping.start.toString(16)} error! Mapping error! PT 0 has HCPhysPT=[0-9a-f]{16} not [0-9a-f]{16} is in the PD\\.$`,
      ),
    );
  });

  it('say which tables the pool does not have', async () => {
    const { session } = await rawSession(host);
    const cpu = session.shadowCpu();
    cpu.read(0x3000n, new Uint8Array(1));
    const { pool } = cpu.paging;
    const wide = host === 'PAE';
    const directory = wide ? pool.childOf(cpu.root, 0) : cpu.root;
    pool.tables.set(directory, 0, wide, 0x03ff_f007, wide ? 0x100 : 0);
    expect(dump(session).filter((line) => line.includes('error'))).toEqual([
      wide
        ? '00000000 error! Page table at HCPhys=0000010003fff000 was not found in the page pool!'
        : '00000000 error! Page table at 0x3fff000 was not found in the page pool!',
    ]);
  });
});

describe('tables of world switches', () => {
  const levelOf = (line: string) => Number(/^[0-9a-f]+ (\d) +\| +P/.exec(line)?.[1] ?? -1);
  const linesOf = (session: ConsoleSession, depth = 3) => intermediateTables(session, depth).text.split('\n');

  it.each([
    // The code of a switch has two addresses, in a table of its own each; mappings of 8 MiB have two entries or four.
    ['32-bit', [4, 2]],
    ['PAE', [4, 6, 2]],
    // Host's side as PAE; guest's side of a guest in real mode the same.
    ['AMD64', [4, 6, 2]],
  ] as const)('on a %s host: pointers, directories and tables, each once', async (host, counts) => {
    const { session, rawMode, machine } = await rawSession(host);
    const lines = linesOf(session);
    expect(lines[0]).toBe(`Both sides of a switch, ${host}:`);
    const cr3 = machine.intermediate.hostCr3(host).toString(16);
    expect(lines[1]).toBe(`cr3=${cr3.padStart(8, '0')} cr4=000000${host === '32-bit' ? '00' : '20'}`);
    const hypervisor = lines.filter((line) => levelOf(line) === counts.length - 1).length;
    const { mapping } = rawMode;
    const mapped = Array.from({ length: mapping.size / 4096 }, (_, i) => rawMode.hostAt(mapping.start + i * 4096));
    expect(hypervisor).toBe(counts[counts.length - 1] + mapped.filter((at) => at !== undefined).length);
    for (const [level, count] of counts.slice(0, -1).entries())
      expect(lines.filter((line) => levelOf(line) === level)).toHaveLength(count);
    expect(lines.filter((line) => line.includes(' 0m-  '))).toHaveLength(host === '32-bit' ? 2 : 4);
    if (host !== '32-bit') expect(lines.filter((line) => line.includes(' 0p0  '))).toHaveLength(4);
    expect(lines.join('\n')).not.toContain('error');
  });

  it('in long mode: the same 4 GiB again and again', async () => {
    const { session, machine } = await rawSession('AMD64');
    machine.cpus[0].setRegisters({ cr0: 0x8000_0011n, cr3: 0x1000n, cr4: 0x20n, efer: 0x500n });
    const guest = intermediateTables(session, 3).text.split("Guest's side of a switch:\n")[1].split('\n');
    expect(guest[0]).toBe(`cr3=${machine.intermediate.cr3OfLong.toString(16).padStart(8, '0')} cr4=00000020 Long Mode`);
    for (const level of [0, 1]) {
      const lines = guest.filter((line) => levelOf(line) === level);
      expect(lines).toHaveLength(512);
      expect(lines.filter((line) => line.includes('P W U A . . -- -- .. -- .. 0p0'))).toHaveLength(512);
    }
    expect(guest.filter((line) => levelOf(line) === 2)).toHaveLength(6);
    expect(guest.find((line) => line.startsWith('ffffff8000000000'))).toBeDefined();
  });

  it('a guest in hardware needs none', async () => {
    const machine = await emptyMachine(4 * MIB);
    machine.usePaging({ host: 'AMD64', hardware: true, nestedPaging: 'ept' });
    const lines = linesOf(new ConsoleSession(machine));
    expect(lines[0]).toBe("Host's side of a switch, AMD64:");
    expect(lines.at(-1)).toBe("Guest's side of a switch: it needs no tables");
    expect(lines.filter((line) => levelOf(line) === 0)).toHaveLength(4);
  });

  it('no levels are no lines', async () => {
    expect(linesOf((await rawSession('PAE')).session, 0)).toEqual(['Both sides of a switch, PAE:']);
  });
});
