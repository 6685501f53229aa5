import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { MIB } from '../../formats/sizes.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { loadState } from '../machine/load.ts';
import { saveState } from '../machine/save.ts';
import { checkConsistency } from '../paging/shadow/checks/consistency-check.ts';
import { checkPool } from '../paging/shadow/checks/pool-check.ts';
import type { HostPaging } from '../paging/shadow-mode.ts';
import { emptyMachine } from './empty-machine.ts';
import { RunningMachine } from './running-machine.ts';

const HOSTS: (HostPaging | undefined)[] = [
  undefined,
  { host: '32-bit', hardware: false },
  { host: 'PAE+NX', hardware: false },
  { host: 'AMD64+G+NX', hardware: true },
  { host: 'PAE', hardware: true, nestedPaging: 'nested' },
  { host: 'AMD64', hardware: true, nestedPaging: 'ept' },
];

describe('workload paging', () => {
  it.each(HOSTS.map((host) => [host ? Object.values(host).join(' ') : 'no shadow tables', host] as const))(
    'goes through all modes, is saved and goes on, on %s',
    async (_, host) => {
      const running = RunningMachine.of(await emptyMachine(4 * MIB, { cpus: 2 }), {
        kind: 'paging',
        pages: 40,
        seed: 5,
      });
      const { machine } = running;
      if (host) machine.usePaging(host);
      const modes = new Set<string | undefined>();
      for (let tick = 0; tick < 20; tick++) {
        running.runSteps(61);
        modes.add(machine.cpus[1].guestMode);
        for (const cpu of machine.shadow?.cpus ?? []) expect(checkConsistency(cpu)).toEqual([]);
        if (machine.shadow) expect(checkPool(machine.shadow)).toEqual([]);
      }
      expect(running.selfCheck()).toMatchObject({ pages: 40, faults: [] });
      expect([...modes].sort()).toEqual(['32-bit', 'amd64', 'pae', 'protected']);
      const sink = new MemorySink();
      await saveState(machine, sink);
      const again = RunningMachine.of(await loadState(bufferSource(sink.view())));
      again.machine.usePaging({ host: 'AMD64', hardware: true });
      again.runSteps(500);
      expect(again.selfCheck()).toMatchObject({ steps: 20 * 61 + 500, faults: [] });
      again.reset();
      again.runSteps(200);
      expect(again.selfCheck()).toMatchObject({ steps: 200, faults: [] });
    },
  );

  it('notices a table that lost a write', async () => {
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'paging', pages: 40 });
    running.runSteps(64 * 2 + 10);
    const [cpu] = running.machine.cpus;
    running.memory.writeU32(Number(cpu.registers?.cr3), 0);
    for (let step = 0; step < 64; step++) running.memory.writeU32(Number(cpu.registers?.cr3) + 4 * step * 16, 0);
    running.memory.fill(Number(cpu.registers?.cr3), 4096, 0);
    expect(running.selfCheck().faults[0]).toMatchObject({ what: expect.any(String) });
  });
});
