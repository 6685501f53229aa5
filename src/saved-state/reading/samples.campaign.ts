import { openFile } from '../../../formats/files/source.ts';
import { compareWithTruth } from '../../testing/against-truth.ts';
import { forEachSample } from '../../testing/sample-files.ts';

// npm run campaign -- samples FOLDER…: compares further real states with their truth.

let passed = 0;
let failed = 0;
await forEachSample(process.argv.slice(2), async (name, path, truth) => {
  const source = await openFile(path);
  const { compared, differences } = await compareWithTruth(source, truth);
  await source.close();
  for (const difference of differences) console.log(`${name}: ${difference}`);
  passed += compared - differences.length;
  failed += differences.length;
});
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
