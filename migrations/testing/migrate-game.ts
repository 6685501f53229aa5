import assert from 'node:assert/strict';
import { Meanwhile } from '../../src/live-save/testing/great-moves.ts';
import type { GreatMove } from '../../src/machine/testing/machine-game.ts';
import type { ArrivingMachine } from '../virtual-machine/arriving-machine.ts';
import { DepartingMachine } from '../virtual-machine/departing-machine.ts';
import { MachineHost } from '../virtual-machine/machine-host.ts';
import { encodeFrame } from '../wire/payload.ts';
import { Pair } from './pair.ts';

/** Nothing is lost here, however busy the host of the test is. */
const PATIENT = { frame: 120_000, hello: 120_000, beat: 200 };

/** Migrates the machine while it runs; now and then the target gives up, and the machine stays where it is. */
export const migrateGame: GreatMove = async (game) => {
  const pair = await Pair.create({ host: new MachineHost({ runs: false }), timeOuts: PATIENT });
  const meanwhile = new Meanwhile(game);
  const fails = game.random.chance(25);
  let stands = false;
  pair.tap = (from, name) => {
    if (from === 'source' && !stands) meanwhile.runs();
    return fails && from === 'target' && name === 'ready' ? encodeFrame('running', {}) : 'pass';
  };
  const onEvent = ({ event }: { event: string }) => {
    stands ||= event === 'paused';
  };
  const report = await pair.migrate(new DepartingMachine('game', game.machine), { onEvent, timeOuts: PATIENT });
  meanwhile.expectNoFailure();
  if (report.outcome === 'handed-over') {
    const { machine } = (await pair.receiver.arrived) as ArrivingMachine;
    game.leaveHost();
    game.machine = machine;
    game.twin.passThroughState();
  } else assert.ok(fails, `the migration ended with ${report.outcome}: ${report.because}`);
};
