import { parseArgs } from 'node:util';
import { leaveOut, withoutOne } from '../shrink.ts';
import { judgeTeleport } from './judge-teleport.ts';
import { drawTeleportScenario, type TeleportScenario } from './teleport-scenario.ts';

// npm run campaign -- simulate-teleports [--runs N --seed S --minutes M --only SEED --first]: teleports of a machine to
// a savkit that keeps it in a file, in a simulated world. What must not be is told with its seed, made as small as it
// gets; the same seed always does the same.

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '60' },
    only: { type: 'string' },
    first: { type: 'boolean', default: false },
  },
});

const cpu = process.cpuUsage();
const first = Number(values.only ?? values.seed);
const runs = values.only === undefined ? Number(values.runs) : 1;
const until = performance.now() + Number(values.minutes) * 60_000;
const ends = new Map<string, number>();
let done = 0;
let failed = 0;

for (let seed = first; seed < first + runs && performance.now() < until; seed++) {
  const scenario = drawTeleportScenario(seed);
  const verdict = await judgeTeleport(scenario);
  done++;
  for (const end of verdict.sourceEnds) ends.set(end, (ends.get(end) ?? 0) + 1);
  if (verdict.faults.length === 0 && values.only === undefined) continue;
  if (verdict.faults.length > 0) failed++;
  console.log(`seed ${seed}: ${verdict.faults.join('; ') || 'all is well'}`);
  if (values.first || (values.only === undefined && failed > 20)) break;
  const small = verdict.faults.length > 0 ? await leaveOut(scenario, judgeTeleport, smaller) : { scenario, verdict };
  console.log(`  ${JSON.stringify(small.scenario)}\n  ${small.verdict.log.join('\n  ')}`);
  const { faults, sourceEnds, targetEnds, happened } = small.verdict;
  console.log(`  ${faults.join('; ')}; source ${sourceEnds}, target ${targetEnds}; ${happened} happenings`);
}

function smaller(scenario: TeleportScenario): TeleportScenario[] {
  const plain: Partial<TeleportScenario>[] = [
    { tries: 1 },
    { isRelayed: false },
    { replaces: false },
    { declines: false },
    { paused: false },
    { isPausedBefore: false },
    { ramMib: 2 },
  ];
  const changed = plain.filter((change) =>
    Object.entries(change).some(([key, value]) => scenario[key as keyof TeleportScenario] !== value),
  );
  return [...withoutOne(scenario), ...changed.map((change) => ({ ...scenario, ...change }))];
}

const { user, system } = process.cpuUsage(cpu);
const told = [...ends].map(([end, count]) => `${count} ${end}`).join(', ');
const speed = ((done * 1e6) / (user + system)).toFixed(1);
console.log(`${done} runs, ${failed} with faults; tries: ${told}; ${speed} runs a second of processor time`);
process.exitCode = failed > 0 ? 1 : 0;
