import { parseArgs } from 'node:util';
import { playSeeds, SEED_OPTIONS } from '../play-seeds.ts';
import { smallerBy } from '../shrink.ts';
import { drawGuestScenario } from './guest-scenario.ts';
import { judgeGuest } from './judge-guest.ts';

// npm run campaign -- simulate-guests [--runs N --seed S --minutes M --only SEED --first]: migrations of guests of QEMU
// in a simulated world, whose QEMUs die, hang and refuse as well. Faults are printed with their seed and the smallest
// scenario that shows them; the same seed always does the same.

const { values } = parseArgs({ options: { ...SEED_OPTIONS, runs: { type: 'string', default: '5000' } } });

if (values.only === undefined) Error.stackTraceLimit = 0;

const ends = { source: 0, target: 0, lost: 0 };
const { done, failed, speed } = await playSeeds(values, {
  draw: drawGuestScenario,
  judge: judgeGuest,
  smaller: (scenario) =>
    smallerBy(scenario, [
      { pages: 2, workload: { ...scenario.workload, hot: 1 } },
      { streams: 1 },
      { isPaused: false },
      { givesNumbersAgain: false },
      { staysKilled: false },
      { asksAtOnce: false },
      { limits: {} },
      { notesWrites: false },
      { isPrivate: false },
      { copiesDisks: false },
      { disks: 1 },
      { migratesAgain: false },
      { asksFirst: true },
      { areOld: false },
      { joinsAnswers: false },
      { watchFault: undefined },
    ]),
  count: ({ survivor }) => void ends[survivor]++,
  told: ({ survivor }) => `, the guest: ${survivor}`,
  print: console.log,
});
console.log(
  `${done} runs, ${failed} with faults; the guest stayed in ${ends.source}, went in ${ends.target}, ` +
    `and its QEMU was ended in ${ends.lost}; ${speed.toFixed(0)} runs a second of processor time`,
);
