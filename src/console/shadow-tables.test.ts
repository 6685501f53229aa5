import { describe, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { ConsoleSession } from './session.ts';
import { shadowTables } from './shadow-tables.ts';

async function rawSession(host: '32-bit' | 'PAE') {
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
