import { parseArgs } from 'node:util';
import { judge } from './judge.ts';
import { playSeeds, SEED_OPTIONS } from './play-seeds.ts';
import { drawAimedScenario, drawScenario } from './scenario.ts';
import { smaller } from './shrink.ts';

// npm run campaign -- simulate [--runs N --seed S --minutes M --only SEED --first --aimed --compares]: migrations in a
// simulated world, with all that may go wrong there; --aimed: in the moments of the hand-over above all; --compares: of
// a machine whose writes are found by comparing. Faults are printed with their seed and the smallest scenario that
// shows them; the same seed always does the same.

const { values } = parseArgs({
  options: {
    ...SEED_OPTIONS,
    runs: { type: 'string', default: '10000' },
    aimed: { type: 'boolean', default: false },
    compares: { type: 'boolean', default: false },
  },
});

// Most errors of a run are made and handled; whoever plays one seed again wants to know their places.
if (values.only === undefined) Error.stackTraceLimit = 0;

const draw = values.aimed ? drawAimedScenario : drawScenario;
const ends = { source: 0, target: 0, lost: 0 };
const { done, failed, speed } = await playSeeds(values, {
  draw: (seed) => ({ ...draw(seed), compares: values.compares }),
  judge,
  smaller,
  count: ({ survivor }) => void ends[survivor]++,
  told: ({ survivor }) => `, the machine: ${survivor}`,
  print: console.log,
});
console.log(
  `${done} runs, ${failed} with faults; the machine stayed in ${ends.source}, went in ${ends.target}, ` +
    `and its process was killed in ${ends.lost}; ${speed.toFixed(0)} runs a second of processor time`,
);
