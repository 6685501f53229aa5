import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MIB } from '../../formats/sizes.ts';
import { parseNumber } from '../../formats/values/number-text.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { askMachine } from '../control/control-client.ts';
import { table } from '../terminal/table.ts';
import { CUTS_AND_KILLS, FAULTS, type Fault, isHarmless, KILLS } from './faults.ts';
import { MigrationTrial, type Outcome, type When } from './migration-trial.ts';

// npm run campaign -- migration-faults [--kills N --others N --large 64M,256M --ram 2M --frames WORD,WORD --minutes N
// --options="OPTIONS OF MIGRATE"]
//
// In machines that write their memory meanwhile, at random moments of the migration: each process killed, told to end
// (SIGTERM, SIGINT, SIGHUP), its terminal closed, the readers of its output gone; the link cut for a moment and for
// ever. Then links and processes again before and after every frame of a small migration, in both directions.
// Afterwards exactly one side has to run the machine, or has saved it and said so, or is told to run it by the records
// of both; and there its memory and its steps have to be what they were. What there is no time for is left out, and
// counted.

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '64' },
    others: { type: 'string', default: '4' },
    large: { type: 'string', default: '64M,256M' },
    ram: { type: 'string', default: '2M' },
    frames: { type: 'string', default: '' },
    minutes: { type: 'string', default: '15' },
    options: { type: 'string', default: '' },
  },
});
const deadline = performance.now() + Number(values.minutes) * 60_000;
/** Trials at a time. */
const WORKERS = 2;
/**
 * Kills in mid-migration that a run has to come to, unless fewer were asked for, and how many of them before the
 * hand-over.
 */
const WANTED_KILLS = 60;
const WANTED_BEFORE = 40;
const RATE = 5000;

interface Plan {
  state: string;
  ram: string;
  /** Options of `migrate`. */
  more: readonly string[];
  seesFrames: boolean;
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
  await strikeAtRandom(values.large.split(',').filter((ram) => ram !== ''));
  await strikeAtFrames();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
report();

/** Faults in the midst of migrations that take some seconds, since their link is slow for so much memory. */
async function strikeAtRandom(sizes: readonly string[]): Promise<void> {
  const plans: Plan[] = [];
  for (const ram of sizes) {
    const state = await startingState(ram, { rate: RATE, forMs: 6000 });
    const more = ['--compression', 'never', '--bandwidth', `${Math.ceil(parseNumber(ram) / 2 / MIB)}M`];
    const plan = { ram, state, more, seesFrames: false };
    const { outcome } = await tryOnce(plan);
    // Up to the end: the last bytes are those of the hand-over.
    const someMoment = () => Math.ceil((0.02 + 0.98 * Math.random()) * outcome.bytes);
    for (const fault of FAULTS) {
      const count =
        Number(KILLS.includes(fault) ? values.kills : values.others) /
        sizes.length /
        (KILLS.includes(fault) ? KILLS.length : 1);
      for (let i = 0; i < count; i++) plans.push({ ...plan, fault, when: someMoment() });
    }
  }
  await tryAll(plans.filter(({ fault }) => fault && KILLS.includes(fault)));
  await tryAll(shuffled(plans.filter(({ fault }) => fault && !KILLS.includes(fault))));
}

async function strikeAtFrames(): Promise<void> {
  const { ram } = values;
  const state = await startingState(ram, { rate: 100, forMs: 500 });
  const plan = { ram, state, more: [], seesFrames: true };
  const { outcome } = await tryOnce(plan);
  const frames = outcome.frames.filter((label) => values.frames.split(',').some((word) => label.includes(word)));
  console.log(`${frames.length} frames: ${frames.join(', ')}`);
  const moments = frames.flatMap((at) => (['before', 'after'] as const).map((where) => ({ at, where })));
  const plans = (faults: readonly Fault[], when: readonly When[]) =>
    faults.flatMap((fault) => when.map((each) => ({ ...plan, fault, when: each })));
  // Where the machine changes sides all faults strike; elsewhere they are the same as at any other moment.
  const critical = moments.filter(({ at }) => /seal|ready|commit|running/.test(at));
  await tryAll(shuffled(plans(FAULTS, critical)));
  await tryAll(
    shuffled(
      plans(
        CUTS_AND_KILLS,
        moments.filter((moment) => !critical.includes(moment)),
      ),
    ),
  );
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** A machine with a workload under way. */
async function startingState(ram: string, { rate, forMs }: { rate: number; forMs: number }): Promise<string> {
  const [socket, state] = [join(folder, `${ram}.sock`), join(folder, `${ram}.sav`)];
  const machine = new SavkitProcess(
    'run',
    '--ram',
    ram,
    '--workload',
    'random',
    '--rate',
    String(rate),
    '--socket',
    socket,
  );
  await machine.event('running');
  await setTimeout(forMs);
  await askMachine(socket, { command: 'save', path: state }, () => {}, AbortSignal.timeout(60_000));
  machine.child.kill('SIGKILL');
  return state;
}

async function tryAll(plans: readonly Plan[]): Promise<void> {
  const queue = [...plans];
  const work = async () => {
    for (let plan = queue.shift(); plan; plan = queue.shift()) {
      if (performance.now() > deadline) left++;
      else await tryOnce(plan);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
}

async function tryOnce(plan: Plan): Promise<Row> {
  const trial = new MigrationTrial(plan.state, plan.seesFrames, [
    ...plan.more,
    ...values.options.split(' ').filter((option) => option !== ''),
  ]);
  try {
    const outcome = await trial.run(plan.fault, plan.when);
    const row = { ...plan, outcome };
    rows.push(row);
    const { survivor, how, source, target } = outcome;
    const why = whyBad(row);
    console.log(
      `${why === '' ? 'good' : 'BAD '}  ${plan.ram} ${faultText(plan)}: ${survivor} ${how} (${source}, ${target})${why && `: ${why}`}`,
    );
    return row;
  } finally {
    trial.close();
  }
}

function faultText({ fault, when }: Plan): string {
  if (fault === undefined || when === undefined) return 'no fault';
  return `${fault}, ${typeof when === 'number' ? `after ${(when / MIB).toFixed(1)} MiB` : `${when.where} ${when.at}`}`;
}

/** Reason for which a user would not accept an outcome; empty when all is well. */
function whyBad({ fault, outcome }: Row): string {
  const { why, how, survivor, struck } = outcome;
  if (why !== '') return why;
  if (how === 'is not to be found') return how;
  if ((fault === undefined || !struck) && survivor !== 'target')
    return `nothing happened, and yet it did not arrive: ${outcome.said}`;
  if (fault === undefined || !isHarmless(fault)) return '';
  if (how !== 'runs by itself') return 'nobody runs it by itself, though nothing was in the way';
  return survivor === 'target' || fault === 'link, for a moment'
    ? ''
    : `it did not arrive, though nothing was in the way: ${outcome.said}`;
}

/** Prints the fate of the machine, by fault and by frames with the same outcome, and the number of trials. */
function report(): void {
  const groups = new Map<string, { key: string[]; labels: string[] }>();
  for (const { ram, fault, when, outcome } of rows) {
    const where =
      typeof when === 'number'
        ? outcome.beforeHandOver
          ? 'before hand-over'
          : 'after the decision'
        : (when?.where ?? '');
    const key = [
      ram,
      fault ?? 'none',
      outcome.struck || fault === undefined ? where : 'never came',
      outcome.survivor,
      outcome.how,
    ];
    const group = groups.get(key.join()) ?? { key, labels: [] };
    groups.set(key.join(), group);
    group.labels.push(typeof when === 'object' ? when.at : '');
  }
  const course = rows.find(({ seesFrames }) => seesFrames)?.outcome.frames ?? [];
  const lines = [...groups.values()].map(({ key, labels }) => [...key, labels.length, rangeText(labels, course)]);
  console.log(table(['RAM', 'fault', 'where', 'machine at', 'found out', 'trials', 'frames'], lines).toString());
  const bad = rows.filter((row) => whyBad(row) !== '');
  for (const row of bad) console.log(`BAD  ${row.ram} ${faultText(row)}: ${whyBad(row)}`);
  const unstruck = rows.filter(({ fault, outcome }) => fault !== undefined && !outcome.struck).length;
  console.log(
    `${rows.length} trials (${unstruck} ended before the fault), ${left} left for want of time, ${bad.length} without exactly one sound survivor`,
  );
  const isEnough = hasEnoughKills();
  process.exit(bad.length === 0 && isEnough ? 0 : 1);
}

function hasEnoughKills(): boolean {
  const kills = rows.filter(
    ({ fault, seesFrames, outcome }) => fault && KILLS.includes(fault) && !seesFrames && outcome.struck,
  );
  const writing = kills.filter(({ outcome }) => outcome.stepsMeanwhile > 0);
  const before = writing.filter(({ outcome }) => outcome.beforeHandOver).length;
  const steps = writing.map(({ outcome }) => outcome.stepsMeanwhile).sort((a, b) => a - b);
  const median = steps[steps.length >> 1] ?? 0;
  console.log(
    `${writing.length} kills in mid-migration of machines that had written pages meanwhile (${median} in the median): ${before} before the hand-over was decided, ${writing.length - before} after`,
  );
  const isEnough = Number(values.kills) < WANTED_KILLS || (writing.length >= WANTED_KILLS && before >= WANTED_BEFORE);
  if (!isEnough) console.log(`too few: ${WANTED_KILLS} are wanted, ${WANTED_BEFORE} of them before`);
  return isEnough;
}

/** Frames in short: the first and the last of those that follow each other in the course of the migration. */
function rangeText(labels: readonly string[], course: readonly string[]): string {
  const places = [...new Set(labels.map((label) => course.indexOf(label)))]
    .filter((place) => place >= 0)
    .sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (last && place === last[1] + 1) last[1] = place;
    else runs.push([place, place]);
  }
  return runs
    .map(([first, last]) => (first === last ? course[first] : `${course[first]} … ${course[last]}`))
    .join(', ');
}
