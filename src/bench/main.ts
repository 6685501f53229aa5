import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { MIB } from '../../formats/units.ts';
import { makeState } from './make-state.ts';

// npm run bench: speed as ratios within one run, peak memory at several sizes. Each job is a process of its own, and rounds interleave, because
// machines are shared and noisy.

interface Sample {
  ms: number;
  rss: number;
}

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, sizes: { type: 'string', default: '128,1024,4096' } } });
const rounds = Math.max(5, Number(values.rounds));
const sizes = values.sizes.split(',').map(Number);
const MAIN_SIZE = sizes.includes(1024) ? 1024 : sizes[0];
const folder = process.env.SAVKIT_BENCH_DIR ?? join(tmpdir(), 'savkit-bench');
const REFERENCE = 'read + crc';
const JOBS = [
  'read',
  REFERENCE,
  'deep verify',
  'extract raw',
  'extract raw to file',
  'read + crc + write',
  'convert, pass-through',
  'convert, re-encode',
  'convert, pass-through, proof',
  'convert, re-encode, proof',
];
const SIZED_JOBS = ['deep verify', 'extract raw', 'convert, re-encode, proof'];
const run = promisify(execFile);

async function runJob(name: string, state: string): Promise<Sample> {
  const { stdout } = await run(process.execPath, [fileURLToPath(new URL('job.js', import.meta.url)), name, state, folder]);
  return JSON.parse(stdout) as Sample;
}

async function stateOf(size: number): Promise<string> {
  const path = join(folder, `mixed-${size}.sav`);
  if (!existsSync(path)) {
    process.stderr.write(`making ${path}\n`);
    await makeState(path, size * MIB);
  }
  return path;
}

function spread(values: readonly number[]): { median: number; min: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted[sorted.length - 1] };
}

mkdirSync(folder, { recursive: true });
const state = await stateOf(MAIN_SIZE);
const samples = new Map<string, Sample[]>(JOBS.map((name) => [name, []]));
const scaling: number[] = [];
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const name of JOBS) samples.get(name)?.push(await runJob(name, state));
  const alone = samples.get(REFERENCE)?.[round].ms ?? 1;
  const both = await Promise.all([runJob(REFERENCE, state), runJob(REFERENCE, state)]);
  scaling.push((2 * alone) / Math.max(...both.map(({ ms }) => ms)));
}

const results: Record<string, { ratio: ReturnType<typeof spread>; ms: number; rss: number }> = {};
for (const [name, runs] of samples) {
  const ratios = runs.map(({ ms }, round) => ms / (samples.get(REFERENCE)?.[round].ms ?? 1));
  results[name] = { ratio: spread(ratios), ms: spread(runs.map(({ ms }) => ms)).median, rss: Math.max(...runs.map(({ rss }) => rss)) };
}
const bySize: Record<string, Record<number, { msPerGib: number; rss: number }>> = {};
for (const name of SIZED_JOBS) {
  bySize[name] = {};
  for (const size of sizes) {
    const path = await stateOf(size);
    const runs = [await runJob(name, path), await runJob(name, path), await runJob(name, path)];
    bySize[name][size] = { msPerGib: (spread(runs.map(({ ms }) => ms)).median * 1024) / size, rss: Math.max(...runs.map(({ rss }) => rss)) };
  }
}

const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
const line = (...cells: string[]) => console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(38) : cell.padStart(12))).join(' '));
console.log(`\n${MAIN_SIZE} MiB of guest RAM, mixed pages; ${rounds} rounds; times as multiples of ${REFERENCE} in the same round\n`);
line('job', 'median', 'min', 'max', 'peak RSS', 'median ms');
for (const [name, { ratio, ms, rss }] of Object.entries(results))
  line(name, ...[ratio.median, ratio.min, ratio.max].map((value) => value.toFixed(2)), mib(rss), ms.toFixed(0));
console.log('');
for (const [name, other] of [
  ['convert, re-encode', 'read + crc + write'],
  ['convert, re-encode', 'convert, pass-through'],
  ['convert, re-encode, proof', 'convert, pass-through, proof'],
]) {
  const ratios = (samples.get(name) ?? []).map(({ ms }, round) => ms / (samples.get(other)?.[round].ms ?? 1));
  const { median, min, max } = spread(ratios);
  console.log(`${name} takes ${median.toFixed(2)} × ${other} (${min.toFixed(2)} … ${max.toFixed(2)})`);
}
console.log(`\ntwo independent processes together do ${spread(scaling).median.toFixed(2)} × the work of one\n`);
line('guest RAM', ...sizes.map((size) => `${size} MiB`));
for (const [name, perSize] of Object.entries(bySize)) {
  line(`${name}: peak RSS`, ...sizes.map((size) => mib(perSize[size].rss)));
  line(`${name}: per GiB`, ...sizes.map((size) => `× ${(perSize[size].msPerGib / perSize[MAIN_SIZE].msPerGib).toFixed(2)}`));
}

const resultsFolder = 'bench-results';
const latest = join(resultsFolder, 'latest.json');
mkdirSync(resultsFolder, { recursive: true });
if (existsSync(latest)) {
  const previous = JSON.parse(readFileSync(latest, 'utf8')) as { results: typeof results };
  console.log('\nagainst the run before (median ratios):');
  for (const [name, { ratio }] of Object.entries(results)) {
    const before = previous.results[name]?.ratio.median;
    if (before !== undefined) line(name, `${before.toFixed(2)} →`, ratio.median.toFixed(2));
  }
  renameSync(latest, join(resultsFolder, 'previous.json'));
}
writeFileSync(latest, `${JSON.stringify({ size: MAIN_SIZE, rounds, results, bySize, scaling: spread(scaling) }, null, 2)}\n`);
