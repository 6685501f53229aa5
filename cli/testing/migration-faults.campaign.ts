import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { DecisionRecord } from '../../migrations/hand-over/decision-record.ts';
import { FrameProxy } from './frame-proxy.ts';

// npm run campaign:migration-faults [-- --step N --random N]: the link cut (for a moment, for ever), and each process killed, behind every frame of a
// small migration, and at random moments of larger ones. Afterwards exactly one side has to run the machine, or to be told to by its records;
// and where it runs its memory has to be as its workload left it.

const { values } = parseArgs({
  options: { step: { type: 'string', default: '1' }, random: { type: 'string', default: '4' }, minutes: { type: 'string', default: '25' } },
});
const main = fileURLToPath(new URL('../main.js', import.meta.url));
const FAULTS = ['none', 'link, for a moment', 'link, for ever', 'source killed', 'target killed'] as const;
type Fault = (typeof FAULTS)[number];
const deadline = performance.now() + Number(values.minutes) * 60_000;

interface Row {
  fault: Fault;
  frame: number;
  name: string;
  source: string;
  target: string;
  survivor: string;
  good: boolean;
}

/** One machine and its two sides, in a folder of its own. */
class Trial {
  readonly folder = mkdtempSync(join(tmpdir(), 'savkit-faults-'));
  readonly #start: string;
  #source!: ChildProcess;
  #target!: ChildProcess;
  #proxy!: FrameProxy;

  constructor(start: string) {
    this.#start = start;
  }

  async run(fault: Fault, at: number, afterMs?: number): Promise<Row> {
    await this.#open();
    let hit = 'not reached';
    const strike = (name: string) => {
      hit = name;
      if (fault === 'link, for a moment') this.#proxy.cut(false);
      if (fault === 'link, for ever') this.#proxy.cut(true);
      if (fault === 'source killed') this.#source.kill('SIGKILL');
      if (fault === 'target killed') this.#target.kill('SIGKILL');
    };
    if (afterMs === undefined) this.#proxy.onFrame = (count, name) => count === at && strike(name);
    else globalThis.setTimeout(() => strike(`after ${afterMs} ms`), afterMs);
    const to = `127.0.0.1:${this.#proxy.port}`;
    const migration = spawnSavkit(['migrate', this.#path('vm.sock'), '--to', to, '--insecure', '--records', this.#path('s'), '--resume-within', '2']);
    await Promise.race([new Promise((resolve) => migration.on('close', resolve)), setTimeout(20_000)]);
    const row = { fault, frame: at, name: hit, ...(await this.#judge()) };
    migration.kill('SIGKILL');
    return row;
  }

  close(): void {
    for (const child of [this.#source, this.#target]) child.kill('SIGKILL');
    this.#proxy.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.folder, name);
  }

  async #open(): Promise<void> {
    this.#source = spawnSavkit(['run', this.#start, '--socket', this.#path('vm.sock')]);
    const options = ['--insecure', '--records', this.#path('t'), '--keep-for', '2', '--safe', this.#path('safe.sav'), '--control', this.#path('arrived.sock')];
    this.#target = spawnSavkit(['receive', '--listen', '127.0.0.1:0', '--ndjson', ...options]);
    const port = await new Promise<number>((resolve) =>
      this.#target.stdout?.on('data', (chunk: Buffer) => resolve(Number(/:(\d+)"/.exec(chunk.toString())?.[1]))),
    );
    await until(() => existsSync(this.#path('vm.sock')), 20_000);
    this.#proxy = await FrameProxy.open(port);
  }

  /** Where the machine runs; where nobody does, who is told to. */
  async #judge(): Promise<Pick<Row, 'source' | 'target' | 'survivor' | 'good'>> {
    let [here, there] = await this.#whoRuns();
    const [source, target] = [this.#record('s'), this.#record('t')];
    const decided = { source: source?.decision ?? 'no record', target: target?.decision ?? 'no record' };
    if (here && there) return { ...decided, survivor: 'BOTH', good: false };
    if (here || there) return { ...decided, survivor: here ? 'source runs' : 'target runs', good: await this.#isSound(here ? 'vm.sock' : 'arrived.sock') };
    if (!source) return { ...decided, survivor: 'source, from its state', good: await this.#restarts(this.#start) };
    const records = target ? ['--peer-record', this.#recordPath('t'), ...(isDead(this.#target) ? ['--peer-ended'] : [])] : [];
    const resolved = await runSavkit(['migrate', '--resolve', this.#recordPath('s'), ...records, '--json']);
    const { survivor } = JSON.parse(resolved.stdout).files[0].result as { survivor: string };
    await until(async () => (await this.#whoRuns()).includes(true), isDead(survivor === 'source' ? this.#source : this.#target) ? 0 : 4000);
    [here, there] = await this.#whoRuns();
    if (here && there) return { ...decided, survivor: 'BOTH', good: false };
    if (here || there) {
      const isTold = (here ? 'source' : 'target') === survivor;
      return { ...decided, survivor: `${survivor} runs when told`, good: isTold && (await this.#isSound(here ? 'vm.sock' : 'arrived.sock')) };
    }
    if (survivor === 'source' && !isDead(this.#source)) return { ...decided, survivor: 'source, but it does not run', good: false };
    const from = survivor === 'source' ? this.#start : this.#path('safe.sav');
    return { ...decided, survivor: `${survivor}, from its ${survivor === 'source' ? 'state' : 'safe file'}`, good: await this.#restarts(from) };
  }

  async #whoRuns(): Promise<[boolean, boolean]> {
    return Promise.all([this.#runs('vm.sock', this.#source), this.#runs('arrived.sock', this.#target)]);
  }

  async #runs(socket: string, child: ChildProcess): Promise<boolean> {
    if (isDead(child) || !existsSync(this.#path(socket))) return false;
    const { stdout, exitCode } = await runSavkit(['control', this.#path(socket), 'status', '--json']);
    if (exitCode !== 0) return false;
    return !['suspended', 'off'].includes(JSON.parse(stdout).files[0].result.state as string);
  }

  async #isSound(socket: string): Promise<boolean> {
    const { exitCode } = await runSavkit(['control', this.#path(socket), 'check', '--json']);
    return exitCode === 0;
  }

  async #restarts(state: string): Promise<boolean> {
    const { exitCode } = await runSavkit(['run', state, '--for', '0.2', '--socket', this.#path('again.sock')]);
    return exitCode === 0;
  }

  #recordPath(side: 's' | 't'): string {
    const name = existsSync(this.#path(side)) ? readdirSync(this.#path(side)).find((file) => file.endsWith('.json')) : undefined;
    return join(this.#path(side), name ?? 'none');
  }

  #record(side: 's' | 't'): DecisionRecord | undefined {
    const path = this.#recordPath(side);
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as DecisionRecord) : undefined;
  }

  get frames(): number {
    return this.#proxy.frames;
  }
}

function spawnSavkit(args: string[]): ChildProcess {
  return spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Runs a command to its end. */
async function runSavkit(args: string[]): Promise<{ exitCode: number | null; stdout: string }> {
  const child = spawnSavkit(args);
  let stdout = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  return new Promise((resolve) => child.on('close', (exitCode) => resolve({ exitCode, stdout })));
}

function isDead(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function until(isSo: () => boolean | Promise<boolean>, ms: number): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end && !(await isSo()); ) await setTimeout(50);
}

/** A machine with a workload under way, as a state to start from. */
async function startingState(folder: string, ram: string, rate: number): Promise<string> {
  const socket = join(folder, `${ram}.sock`);
  const state = join(folder, `${ram}.sav`);
  const machine = spawnSavkit(['run', '--ram', ram, '--workload', 'random', '--rate', String(rate), '--socket', socket]);
  await until(() => existsSync(socket), 20_000);
  await setTimeout(500);
  const { exitCode } = await runSavkit(['control', socket, 'save', state]);
  machine.kill('SIGKILL');
  if (exitCode !== 0) throw new Error('no state to start from');
  return state;
}

async function tryOnce(start: string, fault: Fault, at: number, afterMs?: number): Promise<{ row: Row; frames: number }> {
  const trial = new Trial(start);
  try {
    const row = await trial.run(fault, at, afterMs);
    console.log(
      `${row.good ? 'good' : 'BAD '}  ${fault.padEnd(18)} ${String(at || '').padStart(3)} ${row.name.padEnd(14)} ${row.source.padEnd(12)} ${row.target.padEnd(10)} ${row.survivor}`,
    );
    return { row, frames: trial.frames };
  } finally {
    trial.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'savkit-faults-'));
const rows: Row[] = [];
try {
  const small = await startingState(folder, '4M', 100);
  console.log('      fault             behind frame       source       target     survivor');
  const { row, frames } = await tryOnce(small, 'none', 0);
  rows.push(row);
  const faults = FAULTS.slice(1);
  for (let at = 1; at <= frames && performance.now() < deadline; at += Number(values.step))
    for (const fault of faults) rows.push((await tryOnce(small, fault, at)).row);
  const large = await startingState(folder, '64M', 2000);
  for (let i = 0; i < Number(values.random) && performance.now() < deadline; i++)
    for (const fault of faults) rows.push((await tryOnce(large, fault, 0, 200 + Math.floor(Math.random() * 2500))).row);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const bad = rows.filter(({ good }) => !good);
const outcomes = new Map<string, number>();
for (const { fault, survivor } of rows) outcomes.set(`${fault}: ${survivor}`, (outcomes.get(`${fault}: ${survivor}`) ?? 0) + 1);
for (const [outcome, count] of [...outcomes].sort()) console.log(`${String(count).padStart(5)}  ${outcome}`);
console.log(`${rows.length} trials, ${bad.length} without exactly one sound survivor`);
process.exit(bad.length === 0 ? 0 : 1);
