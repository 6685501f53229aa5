import { parseArgs } from 'node:util';
import { openFile } from '../../formats/files/source.ts';
import { loadState } from '../machine/load.ts';
import { forEachSample } from '../testing/sample-files.ts';
import { compareWithTruth } from './testing/against-truth.ts';
import { compareWalks } from './testing/compare-walks.ts';
import { ShadowModel } from './testing/shadow-model.ts';
import { SHADOWED_HOSTS } from './testing/shadowed-hosts.ts';

// npm run campaign -- paging [--seeds N] [--from N] [--seconds N] [FOLDER…]: random machines on shadow tables beside a
// naive one, random tables walked twice, and the virtual memory of real states of the folders.

const { values, positionals } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    from: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '600' },
  },
  allowPositionals: true,
});
const deadline = Date.now() + Number(values.seconds) * 1000;
let passed = 0;
let failed = 0;

function attempt(what: string, run: () => void): void {
  try {
    run();
    passed++;
  } catch (error) {
    failed++;
    console.log(`${what}: ${(error as Error).message}`);
  }
}

await forEachSample(positionals, async (name, path, truth) => {
  const source = await openFile(path);
  try {
    const { compared, differences } = await compareWithTruth(await loadState(source), truth);
    for (const difference of differences) console.log(`${name}: ${difference}`);
    passed += compared - differences.length;
    failed += differences.length;
  } catch (error) {
    failed++;
    console.log(`${name}: ${(error as Error).message}`);
  } finally {
    await source.close();
  }
});

const from = Number(values.from);
let seed = from;
for (; seed < from + Number(values.seeds) && Date.now() < deadline; seed++) {
  for (const kind of ['32-bit', 'pae', 'long', 'la57'] as const)
    attempt(`walks of ${kind}, seed ${seed}`, () => compareWalks(seed, kind, 200));
  for (const [name, host] of SHADOWED_HOSTS) {
    const small = seed % 3 === 0 ? { poolPages: 32, extents: 2 } : {};
    attempt(`shadow, ${name}, seed ${seed}`, () =>
      new ShadowModel(seed, { host, cpus: 1 + (seed % 2), ...small }).run(300),
    );
  }
}
console.log(`seeds ${from} to ${seed - 1}: ${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
