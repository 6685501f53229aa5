import { parseArgs } from 'node:util';
import { judge } from './judge.ts';
import { drawAimedScenario, drawScenario } from './scenario.ts';
import { shrink } from './shrink.ts';

// npm run campaign -- simulate [--runs N --seed S --minutes M --only SEED --first --aimed --compares]: migrations in a
// simulated world, with all that may go wrong there; --aimed: in the moments of the hand-over above all; --compares:
// of a machine whose writes are found by comparing. What must not be is told with its seed, made as small as it gets;
// the same seed always does the same.

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '60' },
    only: { type: 'string' },
    first: { type: 'boolean', default: false },
    aimed: { type: 'boolean', default: false },
    compares: { type: 'boolean', default: false },
  },
});

// Most errors of a run are made and handled; who plays one seed again wants to know their places.
if (values.only === undefined) Error.stackTraceLimit = 0;

const draw = values.aimed ? drawAimedScenario : drawScenario;
const start = performance.now();
const cpu = process.cpuUsage();
const first = Number(values.only ?? values.seed);
const runs = values.only === undefined ? Number(values.runs) : 1;
const until = start + Number(values.minutes) * 60_000;
const ends = { source: 0, target: 0, lost: 0 };
let done = 0;
let failed = 0;

for (let seed = first; seed < first + runs && performance.now() < until; seed++) {
  const scenario = { ...draw(seed), compares: values.compares };
  const verdict = await judge(scenario);
  done++;
  ends[verdict.survivor]++;
  if (verdict.faults.length === 0 && values.only === undefined) continue;
  if (verdict.faults.length > 0) failed++;
  console.log(`seed ${seed}: ${verdict.faults.join('; ') || 'all is well'}`);
  if (values.first || (values.only === undefined && failed > 20)) break;
  const small = verdict.faults.length > 0 ? await shrink(scenario) : { scenario, verdict };
  console.log(`  ${JSON.stringify(small.scenario)}\n  ${small.verdict.log.join('\n  ')}`);
  const { faults, happened, survivor } = small.verdict;
  console.log(`  ${faults.join('; ')}; ${happened} happenings, the machine: ${survivor}`);
}

const used = process.cpuUsage(cpu);
const seconds = (used.user + used.system) / 1e6;
const speed = (done / seconds).toFixed(0);
console.log(
  `${done} runs, ${failed} with faults; the machine stayed in ${ends.source}, went in ${ends.target}, ` +
    `and its process was killed in ${ends.lost}; ${speed} runs a second of processor time`,
);
process.exitCode = failed > 0 ? 1 : 0;
