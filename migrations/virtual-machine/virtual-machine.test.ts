import { describe, expect, it } from 'vitest';
import { MIB } from '../../formats/units.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { Pair } from '../testing/pair.ts';
import type { ArrivingMachine } from './arriving-machine.ts';
import { DepartingMachine } from './departing-machine.ts';
import { MachineHost } from './machine-host.ts';

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
});
