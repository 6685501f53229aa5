import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { SavkitError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { plainSave } from '../../src/live-save/plain-save.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import type { MigrationEvent } from '../report/report.ts';
import { Pair } from '../testing/pair.ts';
import { encodeFrame } from '../wire/payload.ts';
import type { ArrivingMachine } from './arriving-machine.ts';
import { DepartingMachine } from './departing-machine.ts';
import { MachineHost } from './machine-host.ts';

/** A machine whose workload has done 300 steps. */
async function pausedMachine(): Promise<{ machine: Machine; running: RunningMachine }> {
  const machine = await emptyMachine(16 * MIB);
  const running = RunningMachine.of(machine, { kind: 'random', rate: 2000, pages: 1000 });
  running.runSteps(300);
  return { machine, running };
}

describe('a running machine', () => {
  it('goes on at the target where it was', async () => {
    const machine = await emptyMachine(16 * MIB);
    const running = RunningMachine.of(machine, { kind: 'random', rate: 2000 });
    running.runSteps(3000);
    running.resume();
    const pair = await Pair.create({ host: new MachineHost() });
    const report = await pair.migrate(new DepartingMachine('test', machine, running));
    expect(report.because).toBe('');
    const arrived = (await pair.receiver.arrived) as ArrivingMachine;
    expect(arrived.running?.selfCheck().faults).toEqual([]);
    arrived.running?.stop();
  });

  it('arrives paused when its user had paused it, and goes on there when told', async () => {
    const { machine, running } = await pausedMachine();
    const pair = await Pair.create({ host: new MachineHost() });
    expect(await pair.migrate(new DepartingMachine('test', machine, running))).toMatchObject({
      because: '',
      outcome: 'handed-over',
      paused: true,
    });
    const arrived = ((await pair.receiver.arrived) as ArrivingMachine).running as RunningMachine;
    expect(arrived.state).toBe('suspended');
    expect(arrived.guest.block.steps).toBe(300);
    arrived.resume();
    arrived.runSteps(100);
    expect(arrived.selfCheck().faults).toEqual([]);
    arrived.stop();
  });

  it('waits for a save of its user, and arrives running as it was before that', async () => {
    const { machine, running } = await pausedMachine();
    running.resume();
    const pair = await Pair.create({ host: new MachineHost() });
    let saved: Promise<number> | undefined;
    const slowly = { write: () => setTimeout(50) };
    const { outcome, paused, because } = await pair.migrate(new DepartingMachine('test', machine, running), {
      onEvent: ({ event }) => {
        if (event === 'round') saved ??= plainSave(running, slowly);
      },
    });
    expect({ outcome, paused, because }).toEqual({ outcome: 'handed-over', paused: false, because: '' });
    expect(await saved).toBeGreaterThan(0);
    const arrived = ((await pair.receiver.arrived) as ArrivingMachine).running as RunningMachine;
    expect([arrived.state, running.guest.block.ticks]).toEqual([
      'running',
      arrived.guest.block.ticks - arrived.figures.ticks,
    ]);
    arrived.stop();
  });

  it('can be started by nobody while it is handed over', async () => {
    const { machine, running } = await pausedMachine();
    running.resume();
    const pair = await Pair.create({ host: new MachineHost() });
    const refusals: unknown[] = [];
    const { outcome } = await pair.migrate(new DepartingMachine('test', machine, running), {
      onEvent: ({ event }) => {
        if (event !== 'paused' && event !== 'handed-over') return;
        try {
          running.resume();
        } catch (error) {
          refusals.push((error as SavkitError).code);
        }
      },
    });
    expect([outcome, ...refusals]).toEqual(['handed-over', 'being-handed-over', 'being-handed-over']);
    ((await pair.receiver.arrived) as ArrivingMachine).running?.stop();
  });

  it('takes what devices write along, and nothing is lost by a first migration that failed', async () => {
    const { machine, running } = await pausedMachine();
    running.resume();
    const { memory } = machine;
    let written = 0;
    const device = () => memory.write(MIB + (written++ % 3000) * 4096, Uint8Array.of(written), 'device');
    const failing = await Pair.create({ host: new MachineHost() });
    failing.tap = (from, name) => {
      device();
      return from === 'target' && name === 'ready' ? encodeFrame('running', {}) : 'pass';
    };
    expect(await failing.migrate(new DepartingMachine('test', machine, running))).toMatchObject({ outcome: 'kept' });
    expect(running.state).toBe('running');
    expect(memory.pages.counts.monitored).toBe(0);
    device();
    // Paused, it does not go on before its memory can be compared; devices write all the same, until it stands still
    // for the migration.
    running.pause();
    const pair = await Pair.create({ host: new MachineHost() });
    let stands = false;
    pair.tap = (from, name) => {
      if (from === 'source' && name === 'pages' && !stands) device();
      return 'pass';
    };
    const onEvent = ({ event }: MigrationEvent) => {
      stands ||= event === 'paused';
    };
    // The proof would name pages that the tracking has missed.
    const report = await pair.migrate(new DepartingMachine('test', machine, running), { onEvent, proof: 'full' });
    expect(report).toMatchObject({ because: '', outcome: 'handed-over', proof: { mode: 'full', lostPages: 0 } });
    const arrived = (await pair.receiver.arrived) as ArrivingMachine;
    const [here, there] = [new Uint8Array(16 * MIB), new Uint8Array(16 * MIB)];
    memory.read(0, here);
    arrived.machine.memory.read(0, there);
    expect(written).toBeGreaterThan(10);
    expect(Buffer.compare(here, there)).toBe(0);
    arrived.running?.stop();
  });
});
