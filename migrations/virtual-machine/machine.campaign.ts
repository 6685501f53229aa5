import { playGame } from '../testing/play-game.ts';

// Machines with everything beside naive ones, from one seed each: `MachineGame` tells what they do; now and then they
// are saved and loaded, saved live and migrated while they go on. A seed that fails does so again.
// npm run campaign -- machine [SEEDS [FIRST]]; 2000 seeds by default

const [seeds = 2000, first = 1] = process.argv.slice(2).map(Number);

const begin = performance.now();
const sums: Record<string, number> = {};
let failed = 0;
for (let seed = first; seed < first + seeds; seed++) {
  try {
    for (const [what, count] of Object.entries(await playGame(seed))) sums[what] = (sums[what] ?? 0) + count;
  } catch (error) {
    failed++;
    console.log(`seed ${seed}: ${(error as Error).stack}`);
  }
}
const perSecond = (seeds / (performance.now() - begin)) * 1000;
console.log(
  Object.entries(sums)
    .map(([what, count]) => `${what} ${count}`)
    .join(', '),
);
console.log(`${seeds - failed} passed, ${failed} failed, ${perSecond.toFixed(1)} seeds/s`);
process.exitCode = failed > 0 || !(seeds > 0) ? 1 : 0;
