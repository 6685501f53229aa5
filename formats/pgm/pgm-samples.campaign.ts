import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { bufferSource } from '../files/source.ts';
import { compareWithTruth, type Truth } from '../testing/pgm-truth.ts';

// npm run campaign -- pgm-samples FOLDER: compares the states in a folder with their descriptions.
// States are NAME.sav, NAME.ssm (streams), or these with .xz after that; NAME.json beside each tells the truth.

const STATE = /\.(sav|ssm)(\.xz)?$/;
const folder = process.argv[2];
if (!folder) {
  console.error('Which folder? npm run campaign -- pgm-samples FOLDER');
  process.exit(2);
}

let failed = 0;
const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => STATE.test(path));
for (const path of paths.sort()) failed += (await compare(join(folder, path))) ? 0 : 1;
console.log(`${paths.length} states, ${failed} differ`);
process.exitCode = failed > 0 || paths.length === 0 ? 1 : 0;

async function compare(path: string): Promise<boolean> {
  const description = path.replace(STATE, '.json');
  if (!existsSync(description)) throw new Error(`Cannot compare ${path}: it has no description`);
  const truth = JSON.parse(readFileSync(description, 'utf8')) as Truth;
  const state = path.endsWith('.xz')
    ? execFileSync('xz', ['-dc', path], { maxBuffer: 2 ** 31 - 1 })
    : readFileSync(path);
  const pairs = await compareWithTruth(bufferSource(state), truth);
  const wrong = [...pairs].filter(([, [found, expected]]) => !isDeepStrictEqual(found, expected));
  console.log(`${wrong.length === 0 ? 'equal ' : 'DIFFER'} ${path}: ${[...pairs.keys()].join(', ')}`);
  for (const [subject, [found, expected]] of wrong)
    console.log(`  ${subject}:\n    found    ${show(found)}\n    expected ${show(expected)}`);
  return wrong.length === 0;
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
