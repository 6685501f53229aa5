import { compareWithQemuTruth } from '../../testing/against-qemu-truth.ts';
import { forEachQemuSample, qemuTruth, sampleSource } from '../../testing/qemu-samples.ts';
import { verifyState } from './verify-state.ts';

// npm run campaign -- qemu-samples [FOLDER=../shared/samples/qemu]: compares further real states of QEMU with their
// truth.

const [folder = '../shared/samples/qemu'] = process.argv.slice(2);
let passed = 0;
let failed = 0;
await forEachQemuSample(folder, async (name, read) => {
  const truth = qemuTruth(name, folder);
  const differences = truth.refused
    ? await refusalOf(name, read)
    : await compareWithQemuTruth(sampleSource(name, read), truth);
  for (const difference of differences) console.log(`${name}: ${difference}`);
  if (differences.length > 0) failed++;
  else passed++;
});
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** Lists savkit's reasons against a state: there are none against some states that the independent reader refuses. */
async function refusalOf(name: string, read: (name: string) => Buffer): Promise<string[]> {
  const { verdict, findings } = await verifyState(sampleSource(name, read));
  return verdict === 'no-damage-found' ? [] : findings.map(({ message }) => message);
}
