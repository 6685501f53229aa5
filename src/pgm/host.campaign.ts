import { parseArgs } from 'node:util';
import { playHost } from '../gmm/testing/play-host.ts';
import { playMachines } from './testing/play-machines.ts';

// Plays random games against naive models: npm run campaign -- host [--seconds 120] [--seed FIRST]. One game of each
// seed is on the memory of a host alone (host-model.test.ts), one is of machines that share it
// (machines-model.test.ts). A seed that fails is printed; it becomes a case of the test.

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '120' }, seed: { type: 'string', default: '0' } },
});
const GAMES = { 'host-model': playHost, 'machines-model': playMachines };
const STEPS = 120;
const end = Date.now() + Number(values.seconds) * 1000;
let passed = 0;
let failed = 0;

function play(name: string, game: (seed: number, steps: number) => void, seed: number): void {
  try {
    game(seed, STEPS);
    passed++;
  } catch (error) {
    failed++;
    console.log(`${name}, seed ${seed}: ${(error as Error).message}`);
  }
}

for (let seed = Number(values.seed); Date.now() < end; seed++) {
  for (const [name, game] of Object.entries(GAMES)) play(name, game, seed);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
