import { parseArgs } from 'node:util';
import { playSeeds, SEED_OPTIONS } from '../play-seeds.ts';
import { smallerBy } from '../shrink.ts';
import { judgeSave } from './judge-save.ts';
import { drawSaveScenario, type SaveScenario } from './save-scenario.ts';

// npm run campaign -- simulate-saves [--runs N --seed S --minutes M --only SEED --first]: live saves in a simulated
// world, whose disk, host and user interfere. Faults are printed with their seed and the smallest scenario that shows
// them; the same seed always does the same.

const { values } = parseArgs({ options: { ...SEED_OPTIONS, runs: { type: 'string', default: '2000' } } });

/** Scenarios with less in them. */
const LESS: Partial<SaveScenario>[] = [{ saves: 1 }, { stepsBefore: 0 }, { fullAfterPass: undefined }, { ramMib: 2 }];

const ends = new Map<string, number>();
const { done, failed, speed } = await playSeeds(values, {
  draw: drawSaveScenario,
  judge: judgeSave,
  smaller: (scenario) => smallerBy(scenario, LESS),
  count: (verdict) => verdict.ends.forEach((end) => void ends.set(end, (ends.get(end) ?? 0) + 1)),
  told: () => '',
  print: console.log,
});
const told = [...ends].map(([end, count]) => `${count} ${end}`).join(', ');
console.log(`${done} runs, ${failed} with faults; saves: ${told}; ${speed.toFixed(1)} runs a second of processor time`);
