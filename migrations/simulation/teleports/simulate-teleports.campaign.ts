import { parseArgs } from 'node:util';
import { playSeeds, SEED_OPTIONS } from '../play-seeds.ts';
import { smallerBy } from '../shrink.ts';
import { judgeTeleport } from './judge-teleport.ts';
import { drawTeleportScenario, type TeleportScenario } from './teleport-scenario.ts';

// npm run campaign -- simulate-teleports [--runs N --seed S --minutes M --only SEED --first]: teleports of a machine to
// a savkit that keeps it in a file, in a simulated world. Faults are printed with their seed and the smallest scenario
// that shows them; the same seed always does the same.

const { values } = parseArgs({ options: { ...SEED_OPTIONS, runs: { type: 'string', default: '2000' } } });

/** Scenarios with less in them. */
const LESS: Partial<TeleportScenario>[] = [
  { tries: 1 },
  { isRelayed: false },
  { replaces: false },
  { declines: false },
  { paused: false },
  { isPausedBefore: false },
  { ramMib: 2 },
];

const ends = new Map<string, number>();
const { done, failed, speed } = await playSeeds(values, {
  draw: drawTeleportScenario,
  judge: judgeTeleport,
  smaller: (scenario) => smallerBy(scenario, LESS),
  count: (verdict) => verdict.sourceEnds.forEach((end) => void ends.set(end, (ends.get(end) ?? 0) + 1)),
  told: ({ sourceEnds, targetEnds }) => `; source ${sourceEnds}, target ${targetEnds}`,
  print: console.log,
});
const told = [...ends].map(([end, count]) => `${count} ${end}`).join(', ');
console.log(`${done} runs, ${failed} with faults; tries: ${told}; ${speed.toFixed(1)} runs a second of processor time`);
