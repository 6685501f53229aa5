import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { count, record, text, withDefault } from '../../formats/values/shape.ts';
import { QemuProcess } from '../../migrations/qmp/qemu-process.ts';
import { QmpClient } from '../../migrations/qmp/qmp-client.ts';
import { median } from '../../migrations/testing/compare-speed.ts';
import { RealQemu } from '../../migrations/testing/real-qemu.ts';
import { wordsOf } from '../../src/saved-state/qemu-check/command-words.ts';
import { table } from '../terminal/table.ts';
import { TimedProcess } from './timed-process.ts';

// npm run campaign -- qemu-figures [--rounds N --ram MIB --rates 0,20 --only WORDS]: one guest of QEMU 10 under TCG moves to and fro
// on this host, in turn by QEMU itself with its best settings (multifd, zstd) and by savkit; tells the figures of both
// side by side: time in all, time standing still, bytes, and the processor time of all processes but for what runs the
// guest.

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    ram: { type: 'string', default: '1024' },
    rates: { type: 'string', default: '0,20' },
    only: { type: 'string', default: '' },
  },
});
const qemu = RealQemu.find();
const folder = mkdtempSync(join(tmpdir(), 'savkit-figures-'));
const NAMES = ['figures-a', 'figures-b'];
/** Ticks of the processor clock in a second, as /proc counts. */
const TICKS = 100;
const CHANNELS = Math.max(2, availableParallelism());
const SETTLE_MS = 4000;

interface Figures {
  totalMs: number;
  downtimeMs: number;
  bytes: number;
  /** Processor time in ms, of source and target. */
  cpu: [number, number];
  /** Parts of the downtime, in ms; known for savkit only. */
  downtime?: Record<string, number>;
}

interface Way {
  name: string;
  move(source: string, target: string): Promise<Figures>;
}

const plain = ['--insecure', '--shared-disks'];
const WAYS: Way[] = [
  { name: `QEMU, multifd ${CHANNELS}, zstd`, move: byQemu(['multifd']) },
  { name: 'QEMU, plain', move: byQemu([]) },
  { name: 'savkit, compare, full', move: bySavkit(['--proof', 'full']) },
  { name: 'savkit, compare, 150 ms', move: bySavkit(['--max-downtime', '150']) },
  {
    name: 'savkit, kernel, audited, 30 ms',
    move: bySavkit(['--tracking', 'kernel', '--proof', 'audited', '--max-downtime', '30']),
  },
  { name: 'savkit, kernel, full', move: bySavkit(['--tracking', 'kernel', '--proof', 'full']) },
];

console.log(
  `load ${loadavg()[0].toFixed(1)} on ${availableParallelism()} processors; medians of ${values.rounds} rounds`,
);
for (const rate of values.rates.split(',')) await measureAt(rate);
rmSync(folder, { recursive: true, force: true });

async function measureAt(rate: string): Promise<void> {
  await qemu.stop(...NAMES);
  const ways = WAYS.filter(({ name }) => values.only.split(' ').every((word) => name.includes(word)));
  const found = new Map<string, Figures[]>(ways.map(({ name }) => [name, []]));
  let [here, there] = NAMES;
  try {
    await qemu.start(here, ['--qemu', '10', '--ram', values.ram, '--rate', rate, '--words', '500']);
    await hasTicked(here, 60);
    for (let round = 0; round < Number(values.rounds); round++)
      for (const { name, move } of ways) {
        const figures = await move(here, there);
        found.get(name)?.push(figures);
        const { totalMs, downtimeMs, bytes, cpu, downtime = {} } = figures;
        const phases = Object.entries(downtime).map(([phase, ms]) => `${phase} ${ms.toFixed(0)}`);
        console.log(
          `  ${rate} MB/s, ${name}: ${totalMs.toFixed(0)} ms, still ${downtimeMs.toFixed(0)} ms${phases.length > 0 ? ` (${phases.join(' ')})` : ''}, ${(bytes / 1e6).toFixed(0)} MB, cpu ${cpu}, load ${loadavg()[0].toFixed(1)}`,
        );
        await qemu.stop(here);
        [here, there] = [there, here];
        await setTimeout(SETTLE_MS);
      }
    const { ok, output } = await qemu.run('watch.py', [here, '--check']);
    console.log(`guest at ${rate} MB/s afterwards: ${ok ? 'all memory right' : output}`);
  } finally {
    await qemu.stop(...NAMES);
  }
  const gib = Number(values.ram) / 1024;
  const rows = [...found].map(([name, all]) => {
    const of = (take: (figures: Figures) => number, digits = 0) => median(all.map(take)).toFixed(digits);
    return [
      name,
      of(({ totalMs }) => totalMs),
      of(({ downtimeMs }) => downtimeMs),
      of(({ bytes }) => bytes / 1e6),
      of(({ cpu }) => cpu[0] / gib),
      of(({ cpu }) => cpu[1] / gib),
    ];
  });
  const head = [
    `${values.ram} MiB, ${rate} MB/s`,
    'in all, ms',
    'still, ms',
    'MB sent',
    'CPU source, ms/GiB',
    'target',
  ];
  console.log(table(head, rows).toString());
}

/** @param capabilities of both sides */
function byQemu(capabilities: readonly string[]): Way['move'] {
  return async (source, target) => {
    const [program, ...words] = wordsOf(qemu.commandLineFor(target, source));
    const logPath = join(qemu.state, 'run', target, 'log');
    const started = QemuProcess.start(program, [...words, '-incoming', 'defer'], qemu.qmpOf(target), { logPath });
    qemu.adopt(target, started.pid);
    const there = await started.connect();
    const here = await QmpClient.connect(qemu.qmpOf(source));
    for (const side of [here, there]) {
      await side.execute('migrate-set-capabilities', {
        capabilities: [{ capability: 'multifd', state: capabilities.includes('multifd') }],
      });
      if (capabilities.includes('multifd'))
        await side.execute('migrate-set-parameters', { 'multifd-channels': CHANNELS, 'multifd-compression': 'zstd' });
    }
    await here.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40, 'downtime-limit': 300 });
    const before = [cpuOf(source), cpuOf(target)];
    const uri = `unix:${join(folder, 'migrate')}`;
    await there.execute('migrate-incoming', { uri });
    await here.execute('migrate', { uri });
    const shape = record({
      status: withDefault(text(64), 'none'),
      'total-time': withDefault(count, 0),
      downtime: withDefault(count, 0),
      ram: withDefault(record({ transferred: count }), { transferred: 0 }),
    });
    let told = await here.ask('query-migrate', shape);
    for (; told.status !== 'completed'; told = await here.ask('query-migrate', shape)) {
      if (told.status === 'failed') throw new Error(`QEMU does not migrate: ${started.lastWords()}`);
      await setTimeout(20);
    }
    const cpu: [number, number] = [cpuOf(source) - before[0], cpuOf(target) - before[1]];
    for (const side of [here, there]) side.close();
    return { totalMs: told['total-time'], downtimeMs: told.downtime, bytes: told.ram.transferred, cpu };
  };
}

/** @param options of migrate */
function bySavkit(options: readonly string[]): Way['move'] {
  return async (source, target) => {
    const args = join(folder, 'args');
    writeFileSync(args, qemu.commandLineFor(target, source));
    const records = ['--records', join(folder, 'records')];
    const receive = new TimedProcess(
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--insecure',
      '--qemu-args',
      args,
      ...records,
    );
    const to = `127.0.0.1:${await receive.port()}`;
    const limits = ['--time-limit', '60', '--on-time-limit', 'force'];
    const migrate = new TimedProcess(
      'migrate',
      `qmp:${qemu.qmpOf(source)}`,
      '--to',
      to,
      ...plain,
      ...records,
      ...limits,
      ...options,
    );
    const ended = receive.ended.then(({ result }) => {
      qemu.adopt(target, Number(result.pid));
      return cpuOf(target);
    });
    const { result, error } = await migrate.ended;
    if (result.outcome !== 'handed-over') throw new Error(`savkit does not migrate: ${result.because ?? error}`);
    // The QEMU of the source has ended with its guest: what it did besides is a stop and the devices.
    const cpu: [number, number] = [await migrate.cpuMs(), (await receive.cpuMs()) + (await ended)];
    const { totalMs, downtimeMs, bytes, downtime } = result as unknown as Figures;
    return { totalMs, downtimeMs, bytes, cpu, downtime };
  };
}

/** Processor time of a QEMU in ms, without that of the threads which run its guest. */
function cpuOf(name: string): number {
  const process = `/proc/${readFileSync(join(qemu.state, 'run', name, 'pid'), 'utf8').trim()}`;
  const guests = readdirSync(`${process}/task`)
    .map((thread) => `${process}/task/${thread}`)
    .filter((path) => /^CPU \d/.test(readFileSync(`${path}/comm`, 'utf8')));
  return timeIn(`${process}/stat`) - guests.map((path) => timeIn(`${path}/stat`)).reduce((sum, ms) => sum + ms, 0);
}

function timeIn(path: string): number {
  const fields = readFileSync(path, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS;
}

async function hasTicked(name: string, times: number): Promise<void> {
  while (readFileSync(qemu.serialLogOf(name), 'utf8').split('"tick"').length <= times) await setTimeout(300);
}
