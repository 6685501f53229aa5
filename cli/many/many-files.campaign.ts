import { spawn } from 'node:child_process';
import { existsSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { MIB } from '../../formats/sizes.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { MAIN } from '../testing/run-savkit.ts';

// Thousands of small states with a journal: the process is killed again and again and goes on. Each file must stand in
// the journal once, and memory must not grow with their number.
// Usage: npm run campaign -- many-files [FILES=10000] [JOBS=1] [KILLS=5] [STATE], another state, a large one perhaps

const [files = 10_000, jobs = 1, kills = 5] = process.argv.slice(2, 5).map(Number);
const PER_FOLDER = Math.min(500, Math.ceil(files / 10));
const SAMPLE_MS = 200;
/** Maximum memory that a run over all files may take beyond that of a run over one folder of them. */
const MOST_GROWTH = 16 * MIB;
/**
 * In any process that lives for some time, V8 lets the space for young objects grow to 48 MiB. Kept small, that space
 * does not hide memory that a run keeps for each file.
 */
const V8_OPTIONS = ['--max-semi-space-size=1'];

const folder = mkdtempSync(join(tmpdir(), 'savkit-many-'));
const journal = join(folder, 'journal.ndjson');
const states = join(folder, 'states');
const source = process.argv[5] ?? join(STATES_FOLDER, 'own-pae.sav');

interface Ended {
  exitCode: number | null;
  /** Highest resident memory, in bytes. */
  peak: number;
  stderr: string;
}

/** @param killAt the process is killed when so many files are in the journal */
async function run(where: string, killAt: number | undefined, ...options: string[]): Promise<Ended> {
  const words = ['verify', '-r', where, '--quiet', '--jobs', String(jobs), ...options];
  const child = spawn(process.execPath, [...V8_OPTIONS, MAIN, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const isOver = closed.then(() => true);
  let peak = 0;
  while (!(await Promise.race([isOver, setTimeout(SAMPLE_MS, false)]))) {
    peak = Math.max(peak, peakOf(child.pid));
    if (killAt !== undefined && existsSync(journal) && timesInJournal().size >= killAt) child.kill('SIGKILL');
  }
  return { exitCode: await closed, peak, stderr };
}

function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function timesInJournal(): Map<string, number> {
  const times = new Map<string, number>();
  // The last line may not be written yet.
  for (const text of readFileSync(journal, 'utf8').split('\n').slice(0, -1)) {
    const { event, file } = JSON.parse(text) as { event?: string; file: string };
    if (event === 'file') times.set(file, (times.get(file) ?? 0) + 1);
  }
  return times;
}

const inMib = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;

try {
  for (let i = 0; i < files; i++) {
    const place = join(states, String(Math.floor(i / PER_FOLDER)));
    if (i % PER_FOLDER === 0) mkdirSync(place, { recursive: true });
    linkSync(source, join(place, `${i}.sav`));
  }
  const few = await run(join(states, '0'), undefined);
  const start = performance.now();
  let killed = 0;
  let most = 0;
  for (let i = 0; i < kills; i++) {
    const { exitCode, peak } = await run(states, (files * (i + 1)) / (kills + 2), '--journal', journal, '--resume');
    if (exitCode === null) killed++;
    most = Math.max(most, peak);
    console.log(`killed: ${exitCode === null}, ${timesInJournal().size} files in the journal, ${inMib(peak)}`);
  }
  const last = await run(states, undefined, '--journal', journal, '--resume');
  most = Math.max(most, last.peak);
  const times = timesInJournal();
  const twice = [...times.values()].filter((count) => count !== 1).length;
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `${times.size} of ${files} files in ${seconds} s, ${killed} times killed, ${twice} more than once; memory ${inMib(few.peak)} with ${PER_FOLDER} files, ${inMib(most)} with all; exit code ${last.exitCode}`,
  );
  const isGood = times.size === files && twice === 0 && last.exitCode === 0 && most - few.peak < MOST_GROWTH;
  console.log(isGood ? '1 passed, 0 failed' : '0 passed, 1 failed');
  process.exitCode = isGood ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
