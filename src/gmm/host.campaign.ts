import { parseArgs } from 'node:util';
import { playHost } from './testing/play-host.ts';

// Plays random games of several machines on one host against a naive model: npm run campaign:host -- [--seconds 60] [--seed FIRST]
// A seed that fails is printed; it becomes a case of host-model.test.ts.

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '0' } } });
const end = Date.now() + Number(values.seconds) * 1000;
const STEPS = 200;
let failed = 0;
let seed = Number(values.seed);
for (; Date.now() < end; seed++) {
  try {
    playHost(seed, STEPS);
  } catch (error) {
    failed++;
    console.log(`seed ${seed}: ${(error as Error).message}`);
  }
}
console.log(`${seed - Number(values.seed) - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
