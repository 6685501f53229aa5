import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { statusOf } from '../../migrations/guests/guest-facts.ts';
import { QmpClient } from '../../migrations/qmp/qmp-client.ts';
import { RealQemu } from '../../migrations/testing/real-qemu.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { Score } from '../../src/testing/virtualbox.ts';
import { askMachine } from '../control/control-client.ts';
import { listRecords, type RecordedMigration } from '../migration/list-records.ts';
import { FrameProxy } from '../testing/frame-proxy.ts';
import type { DrainedMachine } from './drain.ts';

// npm run campaign -- drain [OWN=8] [GUESTS=4]: machines of savkit and guests of QEMU (SAVKIT_QEMU_DIR) move from this
// host to two targets. In the midst of it a process that moves a machine is killed, then the drain itself, then one
// target cannot be reached any more. In the end each machine has to run at exactly one place, and journal, records
// and report have to say so.

const [own = 8, guests = 4] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'savkit-drain-campaign-'));
const at = (...names: string[]) => join(folder, ...names);
const score = new Score();
const processes: SavkitProcess[] = [];
const qemu = guests > 0 ? RealQemu.find() : undefined;
const guestNames = Array.from({ length: guests }, (_, i) => `drain${i}`);
const names = [...Array.from({ length: own }, (_, i) => `vm${i}`), ...guestNames];

try {
  for (const name of ['vms', 'args', 'records']) mkdirSync(at(name));
  await startMachines();
  const targets = ['b', 'c'].map((name) => ({ name, savkit: startTarget(name) }));
  const ports = await Promise.all(targets.map(({ savkit }) => savkit.port()));
  const proxy = await FrameProxy.open(ports[1], false);
  const words = ['--to', `127.0.0.1:${ports[0]}`, '--to', `127.0.0.1:${proxy.port}`];
  await drainWithFaults(words, proxy);
  await judge(targets);
  proxy.close();
} finally {
  for (const { child } of processes) child.kill('SIGKILL');
  await qemu?.stop(...guestNames, ...guestNames.map((name) => `${name}-b`), ...guestNames.map((name) => `${name}-c`));
  rmSync(folder, { recursive: true, force: true });
}
score.close();

function start(...args: string[]): SavkitProcess {
  const started = new SavkitProcess(...args);
  processes.push(started);
  return started;
}

async function startMachines(): Promise<void> {
  for (const name of names.slice(0, own)) {
    const words = ['--ram', '32M', '--workload', 'random', '--rate', '300', '--name', name];
    await start('run', ...words, '--socket', at('vms', `${name}.sock`)).event('running');
  }
  for (const name of guestNames) {
    await qemu?.stop(name, `${name}-b`, `${name}-c`);
    await qemu?.start(name, ['--qemu', '10', '--guest', 'mini-long']);
    for (const target of ['b', 'c']) {
      mkdirSync(at('args', target), { recursive: true });
      writeFileSync(at('args', target, `${name}.args`), qemu?.commandLineFor(`${name}-${target}`, name) ?? '');
    }
  }
}

function startTarget(name: string): SavkitProcess {
  const folders = ['--control', at(name), '--records', at(`${name}-records`), '--qemu-args', at('args', name)];
  return start('receive', '--listen', '127.0.0.1:0', '--insecure', '--keep', '--keep-for', '5', ...folders);
}

function drain(words: readonly string[], ...more: string[]): SavkitProcess {
  const machines = [at('vms'), ...guestNames.map((name) => `qmp:${qemu?.qmpOf(name)}`)];
  const records = ['--records', at('records'), '--peer-records', at('b-records'), '--peer-records', at('c-records')];
  const limits = ['--bandwidth', '8M', '--resume-within', '3', '--jobs', '4', '--max-downtime', '2000'];
  return start(
    'drain',
    ...machines,
    ...words,
    '--insecure',
    ...records,
    ...limits,
    '--journal',
    at('journal'),
    ...more,
  );
}

async function drainWithFaults(words: readonly string[], proxy: FrameProxy): Promise<void> {
  const first = drain(words);
  await finished(first, 1);
  await killAMigration(first);
  await finished(first, 3);
  first.child.kill('SIGKILL');
  console.log('  killed the drain');
  await first.ended;
  const second = drain(words, '--resume');
  await finished(second, 5);
  proxy.cut(true);
  console.log('  the second target is not to be reached any more');
  const { exitCode } = await second.ended;
  console.log(`  ended with ${exitCode}`);
  for (let left = 3; left > 0 && journalEnds().some(({ outcome }) => outcome !== 'moved'); left--)
    await drain(words, '--resume').ended;
}

/** Kills a process that a drain has started; one that ends by itself does not count. */
async function killAMigration({ child }: SavkitProcess): Promise<void> {
  while (child.exitCode === null) {
    const [pid] = childrenOf(Number(child.pid));
    try {
      if (pid !== undefined) {
        process.kill(pid, 'SIGKILL');
        console.log(`  killed a migration (${pid})`);
        return;
      }
    } catch {
      // The process has ended meanwhile.
    }
    await setTimeout(20);
  }
  console.log('  no migration was under way that could be killed');
}

async function finished(savkit: SavkitProcess, count: number): Promise<void> {
  while (savkit.events.filter(({ event }) => event === 'finished').length < count && savkit.child.exitCode === null)
    await setTimeout(20);
}

/** Processes that a process has started, by the system's own account. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** The last word of the journal on each machine. */
function journalEnds(): (DrainedMachine & { event: string })[] {
  const lines = readFileSync(at('journal'), 'utf8').trimEnd().split('\n').slice(1);
  const entries = lines.map((line) => JSON.parse(line) as DrainedMachine & { event: string });
  return [...new Map(entries.map((entry) => [entry.name, entry])).values()];
}

async function judge(targets: readonly { name: string; savkit: SavkitProcess }[]): Promise<void> {
  const ends = journalEnds();
  const history = await listRecords(at('records'), (path, error) => score.check(path, false, error.message));
  for (const name of names) {
    const places: string[] = [];
    if (await runsHere(name)) places.push('here');
    for (const target of targets) if (await runsThere(name, target)) places.push(target.name);
    score.check(`${name} runs at exactly one place`, places.length === 1, places.join(', ') || 'nowhere');
    const end = ends.find((each) => each.name === name);
    score.check(`${name}: journal`, (end?.outcome === 'moved') === (places[0] !== 'here'), JSON.stringify(end));
    score.check(`${name}: history`, tellsSame(history, name, end), JSON.stringify(history.filter(isOf(name))));
  }
  const moved = ends.filter(({ outcome }) => outcome === 'moved').length;
  score.check('all have moved in the end', moved === names.length, `${moved} of ${names.length}`);
}

function isOf(name: string): (each: RecordedMigration) => boolean {
  return ({ machine }) => machine === name;
}

/** Tells whether the only migration that has moved a machine is the one that the journal names, if it names any. */
function tellsSame(history: readonly RecordedMigration[], name: string, end: DrainedMachine | undefined): boolean {
  const moved = history.filter(isOf(name)).filter(({ outcome }) => outcome === 'moved');
  return (
    moved.length === (end?.outcome === 'moved' ? 1 : 0) && moved.every(({ migration }) => migration === end?.migration)
  );
}

async function runsHere(name: string): Promise<boolean> {
  return guestNames.includes(name) ? guestRuns(qemu?.qmpOf(name) ?? '') : ownRuns(at('vms', `${name}.sock`));
}

async function runsThere(name: string, target: { name: string; savkit: SavkitProcess }): Promise<boolean> {
  if (!guestNames.includes(name)) return ownRuns(at(target.name, `${name}.sock`));
  const arrived = target.savkit.events.filter(({ event, machine }) => event === 'received' && machine === name);
  for (const { pid } of arrived) qemu?.adopt(`${name}-${target.name}`, Number(pid));
  const running = await Promise.all(arrived.map(({ qmp }) => guestRuns(String(qmp))));
  return running.includes(true);
}

async function ownRuns(socket: string): Promise<boolean> {
  const status = await askMachine(socket, { command: 'status' }, () => {}, AbortSignal.timeout(20_000)).catch(
    () => null,
  );
  return status?.state === 'running' && status.faults === 0;
}

async function guestRuns(path: string): Promise<boolean> {
  const qmp = await QmpClient.connect(path).catch(() => undefined);
  const status = qmp && (await statusOf(qmp).catch(() => undefined));
  qmp?.close();
  return status === 'running';
}
