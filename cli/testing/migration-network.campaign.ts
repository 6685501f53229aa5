import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { NetworkHost } from './network-host.ts';
import { Trial, type TrialResult } from './network-trial.ts';
import { LINKS, type LinkFigures, ShapedLink } from './shaped-link.ts';

// npm run campaign -- migration-network [--links loopback,all --workloads random,trace --sizes 64M --minutes 20]: every
// workload to the other side of a link, back and there again, after an attempt that is given up; savkit's own processes
// on both sides, TLS with a pairing code. The link is the loopback interface, or lies between two network namespaces
// and paces, delays and loses packets (shape-link.py), which takes root, `ip` and Python 3. A machine starts with full
// memory; on its way back it is paused, and what both sides save then has to be the same, byte for byte. Then a guest
// writes faster than the link takes: each of the things that may happen at a time limit has to happen.

const WORKLOADS = ['idle', 'counter', 'hot', 'random', 'scan', 'alloc', 'device', 'trace'];
const SIZES: Readonly<Record<string, number>> = { '64M': 64, '1G': 1024, '4G': 4096 };
const POLICIES = { cancel: 'kept', force: 'handed-over', throttle: 'handed-over' } as const;

const { values } = parseArgs({
  options: {
    links: { type: 'string', default: Object.keys(LINKS).join(',') },
    workloads: { type: 'string', default: WORKLOADS.join(',') },
    sizes: { type: 'string', default: Object.keys(SIZES).join(',') },
    policies: { type: 'string', default: Object.keys(POLICIES).join(',') },
    minutes: { type: 'string', default: '60' },
  },
});
const deadline = performance.now() + Number(values.minutes) * 60_000;
const chosen = (list: string) => list.split(',').filter((name) => name !== '');

interface Row {
  link: string;
  size: string;
  name: string;
  workload: string[];
  migrate: string[];
  expected: 'handed-over' | 'kept';
}

/** All workloads with 64 MiB; large machines where they get through in time. */
function isPlanned(link: string, size: string, workload: string): boolean {
  const isLarge = ['random', 'alloc', 'device'].includes(workload);
  if (size === '64M') return link !== 'fast';
  if (size === '1G') return link === 'loopback' || (isLarge && ['rate', 'fast'].includes(link));
  return isLarge && ['loopback', 'fast'].includes(link);
}

function rowsOf(link: string): Row[] {
  const rows: Row[] = [];
  // Each stream has losses of its own; one alone is slow on such a link.
  const migrate = LINKS[link].loss === undefined ? [] : ['--streams', '4'];
  for (const size of chosen(values.sizes))
    for (const name of chosen(values.workloads)) {
      const rate = size === '64M' ? '1000' : '5000';
      if (isPlanned(link, size, name))
        rows.push({
          link,
          size,
          name,
          workload: ['--workload', name, '--rate', rate],
          migrate,
          expected: 'handed-over',
        });
    }
  if (link !== 'rate') return rows;
  const workload = ['--workload', 'random', '--rate', '20000', '--bytes', '4096'];
  for (const name of chosen(values.policies) as (keyof typeof POLICIES)[])
    rows.push({
      link,
      size: '64M',
      name,
      workload,
      migrate: ['--time-limit', '8', '--on-time-limit', name],
      expected: POLICIES[name],
    });
  return rows;
}

/** Machines of each size with no page that is empty, and a trace. */
class Preparations {
  readonly folder = mkdtempSync(join(tmpdir(), 'savkit-network-'));
  readonly #states = new Map<string, Promise<string>>();
  #trace: Promise<string> | undefined;

  stateOf(size: string): Promise<string> {
    const known = this.#states.get(size) ?? this.#fill(size);
    this.#states.set(size, known);
    return known;
  }

  trace(): Promise<string> {
    this.#trace ??= this.#record();
    return this.#trace;
  }

  async #fill(size: string): Promise<string> {
    const [socket, state] = [join(this.folder, `${size}.sock`), join(this.folder, `${size}.sav`)];
    const host = await localHost();
    const machine = host.start(
      'run',
      '--ram',
      size,
      '--workload',
      'scan',
      '--rate',
      '10000000',
      '--bytes',
      '1024',
      '--socket',
      socket,
    );
    await machine.event('running');
    const pages = SIZES[size] * 256;
    while ((await host.ask<{ steps: number }>('control', socket, 'status')).steps < pages) await setTimeout(200);
    await host.ask('control', socket, 'save', state);
    host.close();
    return state;
  }

  async #record(): Promise<string> {
    const trace = join(this.folder, 'hot.trace');
    const run = ['run', '--ram', '16M', '--workload', 'hot', '--rate', '3000', '--for', '2', '--record', trace];
    await (await localHost()).start(...run, '--socket', join(this.folder, 'trace.sock')).ended;
    return trace;
  }
}

async function localHost(): Promise<NetworkHost> {
  return new NetworkHost(await ShapedLink.open('loopback'), 'source', {});
}

async function tryRow(prepared: Preparations, link: ShapedLink, row: Row): Promise<boolean> {
  const trace = row.name === 'trace' ? ['--trace', await prepared.trace()] : [];
  const trial = new Trial(prepared.folder, link, {
    state: await prepared.stateOf(row.size),
    workload: [...row.workload, ...trace],
    migrate: row.migrate,
  });
  try {
    const result = await trial.run(!(row.name in POLICIES));
    const isGood = isAsExpected(row, result);
    tell(isGood, row, cellsOf(result));
    return isGood;
  } catch (error) {
    tell(false, row, [(error as Error).message]);
    return false;
  } finally {
    trial.close();
  }
}

function isAsExpected({ expected }: Row, { report, lostTicks, lostSteps, faults, identical }: TrialResult): boolean {
  return report.outcome === expected && lostTicks === 0 && lostSteps === 0 && faults === 0 && identical !== false;
}

const HEAD = [
  'seconds',
  'told',
  'MB',
  'told',
  'rounds',
  'stood ms',
  'told',
  'proof',
  'lost ticks',
  'faults',
  'identical',
];

function cellsOf({ report, forecast, lostTicks, faults, identical }: TrialResult): (string | number)[] {
  const { totalMs, bytes, rounds, downtimeMs, downtime, proof, outcome, because } = report;
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const cells = [
    seconds(totalMs),
    seconds(forecast.totalMs),
    (bytes / 1e6).toFixed(1),
    (forecast.bytes / 1e6).toFixed(1),
    rounds.length,
  ];
  if (outcome !== 'handed-over') return [...cells, '-', '-', '-', lostTicks, faults, `stays: ${because}`];
  const phases = Object.entries(downtime).map(([name, ms]) => `${name} ${ms.toFixed(0)}`);
  const stood = [
    downtimeMs.toFixed(0),
    forecast.converges ? forecast.downtimeMs.toFixed(0) : 'never',
    proof?.mode ?? '-',
  ];
  return [
    ...cells,
    ...stood,
    lostTicks,
    faults,
    identical === undefined ? '-' : identical ? 'yes' : 'NO',
    phases.join(' '),
  ];
}

function tell(
  isGood: boolean | undefined,
  { link, size, name }: Pick<Row, 'link' | 'size' | 'name'>,
  cells: readonly (string | number)[],
): void {
  const verdict = isGood === undefined ? '' : isGood ? 'good' : 'BAD';
  const columns = cells.map((cell, i) =>
    i < HEAD.length - 1 ? String(cell).padStart(Math.max(7, HEAD[i].length)) : `  ${cell}`,
  );
  console.log(`${verdict.padEnd(4)} ${link.padEnd(9)}${size.padEnd(4)} ${name.padEnd(8)}${columns.join(' ')}`);
}

function linkText(name: string, figures: LinkFigures | undefined): string {
  if (!figures) return `link ${name}: as it is`;
  const { packets, lost, overflowed, retransmitted } = figures;
  return `link ${name} ${JSON.stringify(LINKS[name])}: ${packets} packets, ${lost} lost, ${overflowed} more dropped by its full queue; TCP sent ${retransmitted} segments again`;
}

let [arrived, failures, late] = [0, 0, 0];
const prepared = new Preparations();
try {
  tell(undefined, { link: 'link', size: 'RAM', name: 'guest' }, HEAD);
  for (const name of chosen(values.links)) {
    const link = await ShapedLink.open(name);
    try {
      for (const row of rowsOf(name)) {
        if (performance.now() > deadline) late++;
        else (await tryRow(prepared, link, row)) ? arrived++ : failures++;
      }
    } finally {
      console.log(linkText(name, await link.close()));
    }
  }
} finally {
  rmSync(prepared.folder, { recursive: true, force: true });
}
console.log(`${arrived} machines are as they have to be, ${failures} are not, ${late} were not reached in time`);
process.exit(failures > 0 || arrived === 0 ? 1 : late > 0 ? 3 : 0);
