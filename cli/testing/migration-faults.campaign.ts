import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { askMachine } from '../control/control-client.ts';
import { table } from '../terminal/table.ts';
import { FAULTS, type Fault, MigrationTrial, type Outcome, type When } from './migration-trial.ts';

// npm run campaign:migration-faults [-- --ram 2M --large 256M,1G --random N --minutes N --frames WORD,WORD --options="OPTIONS OF MIGRATE"]: the link cut (for a moment, for ever) and each process killed,
// before and behind every frame of a small migration, in both directions, and at random moments of large ones whose machine writes meanwhile. Afterwards
// exactly one side has to run the machine, or be told to by the records of both; and there its memory and its steps have to be what they were.

const { values } = parseArgs({
  options: {
    ram: { type: 'string', default: '2M' },
    large: { type: 'string', default: '256M,1G' },
    random: { type: 'string', default: '4' },
    minutes: { type: 'string', default: '15' },
    frames: { type: 'string', default: '' },
    options: { type: 'string', default: '' },
  },
});
const deadline = performance.now() + Number(values.minutes) * 60_000;
/** Trials at a time. */
const WORKERS = 2;

interface Plan {
  state: string;
  ram: string;
  fault?: Fault;
  when?: When;
}
interface Row extends Plan {
  outcome: Outcome;
}

const folder = mkdtempSync(join(tmpdir(), 'savkit-faults-'));
const rows: Row[] = [];
let left = 0;
try {
  const state = await startingState(values.ram, { rate: 100, forMs: 500 });
  const { outcome } = await tryOnce({ state, ram: values.ram });
  const frames = outcome.frames.filter((label) => values.frames.split(',').some((word) => label.includes(word)));
  console.log(`${frames.length} frames: ${frames.join(', ')}`);
  await tryAll(
    frames.flatMap((at) => FAULTS.flatMap((fault) => (['before', 'behind'] as const).map((where) => ({ state, ram: values.ram, fault, when: { at, where } })))),
  );
  for (const ram of values.large === '' ? [] : values.large.split(',')) {
    const large = await startingState(ram, { rate: 5000, forMs: 6000 });
    const { outcome: whole } = await tryOnce({ state: large, ram });
    const moments = Array.from({ length: Number(values.random) }, () => Math.floor(100 + Math.random() * 0.9 * whole.ms));
    await tryAll(moments.flatMap((when) => FAULTS.map((fault) => ({ state: large, ram, fault, when }))));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
report();

/** A machine with a workload under way. */
async function startingState(ram: string, { rate, forMs }: { rate: number; forMs: number }): Promise<string> {
  const [socket, state] = [join(folder, `${ram}.sock`), join(folder, `${ram}.sav`)];
  const machine = new SavkitProcess('run', '--ram', ram, '--workload', 'random', '--rate', String(rate), '--socket', socket);
  await machine.event('running');
  await setTimeout(forMs);
  await askMachine(socket, { command: 'save', path: state }, () => {}, AbortSignal.timeout(60_000));
  machine.child.kill('SIGKILL');
  return state;
}

async function tryAll(plans: Plan[]): Promise<void> {
  const queue = [...plans];
  const work = async () => {
    for (let plan = queue.shift(); plan && performance.now() < deadline; plan = queue.shift()) await tryOnce(plan);
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  left += queue.length;
}

async function tryOnce(plan: Plan): Promise<Row> {
  const trial = new MigrationTrial(
    plan.state,
    plan.ram === values.ram,
    values.options.split(' ').filter((option) => option !== ''),
  );
  try {
    const outcome = await trial.run(plan.fault, plan.when);
    const row = { ...plan, outcome };
    rows.push(row);
    const { survivor, how, source, target, why } = outcome;
    console.log(`${whyBad(row) === '' ? 'good' : 'BAD '}  ${plan.ram} ${faultText(plan)}: ${survivor} ${how} (${source}, ${target})${why && `: ${why}`}`);
    return row;
  } finally {
    trial.close();
  }
}

function faultText({ fault, when }: Plan): string {
  if (fault === undefined || when === undefined) return 'no fault';
  return `${fault}, ${typeof when === 'number' ? `after ${when} ms` : `${when.where} ${when.at}`}`;
}

/** What a user would not accept; empty when all is well. */
function whyBad({ fault, outcome }: Row): string {
  const { why, how, survivor } = outcome;
  if (why !== '') return why;
  if (how === 'is not to be found') return how;
  if (fault === undefined && survivor !== 'target') return 'nothing happened, and yet it did not arrive';
  return fault === 'link, for a moment' && how !== 'runs by itself' ? 'nobody runs it by itself, though the link was there again' : '';
}

/** What became of the machine, by fault and by frames with the same outcome. */
function report(): void {
  const groups = new Map<string, { key: string[]; labels: string[] }>();
  for (const { ram, fault, when, outcome } of rows) {
    const where = typeof when === 'number' ? 'at random' : (when?.where ?? '');
    const key = [ram, fault ?? 'none', outcome.struck || fault === undefined ? where : 'never came', outcome.survivor, outcome.how];
    const group = groups.get(key.join()) ?? { key, labels: [] };
    groups.set(key.join(), group);
    group.labels.push(typeof when === 'object' ? when.at : `${when ?? ''}`);
  }
  const lines = [...groups.values()].map(({ key, labels }) => [...key, labels.length, rangeText(labels)]);
  console.log(String(table(['RAM', 'fault', 'where', 'machine at', 'found out', 'trials', 'frames'], lines)));
  const bad = rows.filter((row) => whyBad(row) !== '');
  for (const row of bad) console.log(`BAD  ${row.ram} ${faultText(row)}: ${whyBad(row)}`);
  const unstruck = rows.filter(({ fault, outcome }) => fault !== undefined && !outcome.struck).length;
  console.log(`${rows.length} trials (${unstruck} ended before the fault), ${left} left for want of time, ${bad.length} without exactly one sound survivor`);
  process.exit(bad.length === 0 && left === 0 ? 0 : 1);
}

/** Frames in short: the first and the last of those that follow each other in the course of the migration. */
function rangeText(labels: string[]): string {
  const course = rows[0].outcome.frames;
  const places = [...new Set(labels.map((label) => course.indexOf(label)))].filter((place) => place >= 0).sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last && place === last[1] + 1) last[1] = place;
    else runs.push([place, place]);
  }
  return runs.map(([first, last]) => (first === last ? course[first] : `${course[first]} … ${course[last]}`)).join(', ');
}
