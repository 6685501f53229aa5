import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { MIB } from '../../formats/sizes.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { liveSave } from '../../src/live-save/live-save.ts';
import { loadState } from '../../src/machine/load.ts';
import type { HostPaging } from '../../src/paging/shadow-mode.ts';
import { SHADOWED_HOSTS } from '../../src/paging/testing/shadowed-hosts.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { Pair } from '../testing/pair.ts';
import type { ArrivingMachine } from './arriving-machine.ts';
import { DepartingMachine } from './departing-machine.ts';
import { MachineHost } from './machine-host.ts';

const STEPS = 200;

/** Starts a guest with page tables of its own, on shadow tables of a host. */
async function start(paging: HostPaging) {
  const machine = await emptyMachine(4 * MIB, { cpus: 2 });
  machine.usePaging(paging);
  const running = RunningMachine.of(machine, { kind: 'paging', rate: 2000, pages: 60 });
  running.runSteps(STEPS);
  running.resume();
  return { machine, running };
}

/** Expects a machine to go on, and to find all that it has written. */
function expectToGoOn(running: RunningMachine): void {
  const { steps } = running.guest.block;
  running.runSteps(STEPS);
  expect(running.guest.block.steps).toBe(steps + STEPS);
  expect(running.selfCheck().faults).toEqual([]);
}

/** Each guest mode in turn: the guest changes it every 128 steps. */
describe.each(SHADOWED_HOSTS)('a machine that runs on shadow tables (%s)', (_, paging) => {
  it('is saved live and goes on; the machine that is loaded goes on with and without shadow tables', async () => {
    const { machine, running } = await start(paging);
    const sink = new MemorySink();
    await liveSave(running, sink);
    expect([running.state, machine.shadow !== undefined]).toEqual(['running', true]);
    running.pause();
    expectToGoOn(running);
    for (const host of [undefined, paging]) {
      const loaded = await loadState(bufferSource(sink.view()));
      if (host) loaded.usePaging(host);
      expectToGoOn(RunningMachine.of(loaded));
    }
    running.stop();
  });

  it('is migrated, and runs at its target on shadow tables, too', async () => {
    const { machine, running } = await start(paging);
    const pair = await Pair.create({ host: new MachineHost({ shadow: paging }) });
    const report = await pair.migrate(new DepartingMachine('test', machine, running), { proof: 'full' });
    expect(report).toMatchObject({ because: '', outcome: 'handed-over' });
    const { running: there, machine: arrived } = (await pair.receiver.arrived) as ArrivingMachine;
    there?.pause();
    // The guest may have changed its mode since it arrived.
    expect(arrived.shadow?.cpus.length).toBe(machine.shadow?.cpus.length);
    expect(arrived.host).toEqual(paging);
    if (there) expectToGoOn(there);
    there?.stop();
  });
});
