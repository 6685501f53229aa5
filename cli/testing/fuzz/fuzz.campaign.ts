import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { keptFolder, longestOf, seedsOf, TARGET_NAMES, type TargetName } from './seeds.ts';

// npm run campaign -- fuzz [TARGET…] [--runs N] [--minutes M] [--keep] [--corpora FOLDER] [--node NODE]: gives bytes to
// every reader of what comes from outside, changed so that ever more of the code is reached (jazzer, which is
// libFuzzer). M minutes each at most. An input that breaks a promise is written down; with --keep, the inputs that reach
// most go to test-vectors/fuzz; with --corpora, all that reached something new stay in that folder, for further runs.

const { values, positionals } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000000' },
    minutes: { type: 'string', default: '5' },
    keep: { type: 'boolean', default: false },
    corpora: { type: 'string' },
    node: { type: 'string', default: process.execPath },
  },
  allowPositionals: true,
});
const MEMORY_MIB = 2048;
/** Time for one input: much, as a busy machine is slow. */
const SECONDS = 20;
/** Inputs that are kept are short, and few. */
const KEPT_SIZE = 4096;
const KEPT_FILES = 40;

const here = fileURLToPath(new URL('.', import.meta.url));
const unknown = positionals.filter((name) => !TARGET_NAMES.includes(name as TargetName));
if (unknown.length > 0) {
  console.error(`There is no target ${unknown.join(', ')}; there are ${TARGET_NAMES.join(', ')}`);
  process.exit(2);
}
const chosen = positionals.length > 0 ? (positionals as TargetName[]) : TARGET_NAMES;
const failed: string[] = [];
let done = 0;

for (const name of chosen) {
  const folder = mkdtempSync(join(tmpdir(), `savkit-fuzz-${name}-`));
  const corpus = values.corpora === undefined ? join(folder, 'corpus') : resolve(values.corpora, name);
  mkdirSync(corpus, { recursive: true });
  for (const [i, seed] of (await seedsOf(name)).entries()) writeFileSync(join(corpus, `seed-${i}`), seed);
  const limits = [`-runs=${values.runs}`, `-max_total_time=${Math.round(Number(values.minutes) * 60)}`];
  const { runs, places, code, words } = await fuzz(name, corpus, folder, limits);
  done += runs;
  const inputs = readdirSync(corpus).length;
  const end = code === 0 ? '' : `, ended with ${code}`;
  console.log(`${name}: ${runs} runs, ${places} places of the code reached, ${inputs} inputs${end}`);
  if (code !== 0) {
    failed.push(name);
    console.log(`  ${words.slice(-25).join('\n  ')}\n  the input is in ${folder}`);
    continue;
  }
  if (values.keep) await keep(name, corpus, folder);
  rmSync(folder, { recursive: true });
}
console.log(
  `${done} runs of ${chosen.length} targets, ${failed.length} with faults${failed.map((name) => `\n  ${name}`).join('')}`,
);
process.exitCode = failed.length > 0 || done === 0 ? 1 : 0;

interface Fuzzed {
  runs: number;
  /** Branches of the code that some input has taken. */
  places: number;
  code: number | null;
  words: string[];
}

async function fuzz(name: TargetName, corpus: string, folder: string, limits: readonly string[]): Promise<Fuzzed> {
  const options = [
    `-max_len=${longestOf(name)}`,
    `-rss_limit_mb=${MEMORY_MIB}`,
    `-timeout=${SECONDS}`,
    '-print_final_stats=1',
    // Nobody else adds inputs.
    '-reload=0',
    `-artifact_prefix=${folder}/`,
  ];
  const { code, words } = await fuzzer([name, corpus, ...options, ...limits], folder);
  const said = words.join('\n');
  const [, runs = '0'] = /stat::number_of_executed_units:\s*(\d+)/.exec(said) ?? /^Done (\d+) runs/m.exec(said) ?? [];
  const places = Math.max(0, ...[...said.matchAll(/ cov: (\d+) /g)].map(([, count]) => Number(count)));
  return { runs: Number(runs), places, code, words };
}

/** Runs the fuzzer's process. @returns lines of its output */
async function fuzzer(args: readonly string[], folder: string): Promise<{ code: number | null; words: string[] }> {
  const log = join(folder, 'log');
  // A file: of a pipe that is full for a moment the fuzzer loses lines.
  const output = openSync(log, 'w');
  const child = spawn(values.node, [join(here, 'fuzzer.js'), ...args], {
    stdio: ['ignore', output, output],
    cwd: folder,
  });
  const code = await new Promise<number | null>((ended) => child.once('close', ended));
  closeSync(output);
  return { code, words: readFileSync(log, 'utf8').trimEnd().split('\n') };
}

/** Keeps few short inputs, which reach most of the code that all inputs reach. */
async function keep(name: TargetName, corpus: string, folder: string): Promise<void> {
  const { words } = await fuzzer([name, '--fewest', corpus], folder);
  const files = readdirSync(corpus);
  const kept = words
    .filter((word) => files.includes(word))
    .map((file) => readFileSync(join(corpus, file)))
    .filter(({ length }) => length <= KEPT_SIZE)
    // The longest ones: they reach code that no shorter one does.
    .slice(-KEPT_FILES);
  rmSync(keptFolder(name), { recursive: true, force: true });
  mkdirSync(keptFolder(name), { recursive: true });
  for (const bytes of kept) writeFileSync(join(keptFolder(name), hashOf(bytes)), bytes);
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
