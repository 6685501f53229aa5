import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join, resolve } from 'node:path';
import { openFileSink } from '../../formats/files/sink.ts';
import { type ByteSource, openFile } from '../../formats/files/source.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import { screenshotOf } from '../../src/saved-state/describe/screenshot.ts';
import { foreseeWake, type PreparedWake, prepareWake } from '../../src/wake/prepare.ts';
import { NO_OPTIONS, type WakeOptions } from '../../src/wake/wake-options.ts';
import { GUEST_CHECKS, type RunningGuest } from '../testing/woken-guests.ts';
import { wake, wakeAndRun } from './wake.ts';

// npm run campaign -- wake [--qemu PROGRAM]… [FOLDER…]: wakes real states in the real QEMU, and lets guests whose names
// are known run on: their own counters, disks and shells tell whether all went well.

const DEFAULT_FOLDERS = [
  '../shared/samples',
  '../shared/samples/own-rom',
  '../shared/samples/old',
  '../shared/samples/wake',
];
const args = process.argv.slice(2);
const programs: string[] = [];
while (args[0] === '--qemu') programs.push(...args.splice(0, 2).slice(1));
if (programs.length === 0) programs.push('qemu-system-x86_64');
const folders = (args.length > 0 ? args : DEFAULT_FOLDERS).filter((folder) => existsSync(folder));
for (const program of programs) {
  const { error } = spawnSync(program, ['--version']);
  if (!error && folders.length > 0) continue;
  console.log(error ? `There is no ${program}: nothing was woken` : 'There are no states to wake');
  process.exit(2);
}

const work = mkdtempSync(join(tmpdir(), 'savkit-wake-'));
const count = { woken: 0, ran: 0, refused: 0, failed: 0 };
try {
  for (const folder of folders)
    for (const name of readdirSync(folder)
      .filter((each) => /\.sav(\.xz)?$/.test(each))
      .sort())
      for (const program of programs) await wakeState(resolve(folder, name), program);
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(
  Object.entries(count)
    .map(([what, n]) => `${n} ${what}`)
    .join(', '),
);
process.exitCode = count.failed > 0 || count.woken === 0 ? 1 : 0;

/** A copy that may be written to, unpacked. */
function copyOf(path: string): string {
  const to = join(work, basename(path, '.xz'));
  if (path.endsWith('.xz')) writeFileSync(to, execFileSync('xz', ['-dc', path], { maxBuffer: 2 ** 31 - 1 }));
  else copyFileSync(path, to);
  return to;
}

/** Image of the disk of a state, beside it. */
function diskOf(path: string, name: string): string | undefined {
  return ['.raw.xz', '.raw', '.vdi'].map((end) => join(path, '..', `${name}${end}`)).find((each) => existsSync(each));
}

/** Options that a user would give: the disk image that is there, and consent to drop sound. */
async function wishesFor(source: ByteSource, disk: string | undefined): Promise<WakeOptions> {
  const foreseen = await foreseeWake(source);
  const places = foreseen.options.disks.keys();
  const place = places.next().value;
  return {
    ...NO_OPTIONS,
    disks: disk !== undefined && place !== undefined ? new Map([[place, disk]]) : new Map(),
    without: new Set(foreseen.refusals.flatMap(({ code, device }) => (code === 'device' && device ? [device] : []))),
    serial: [`socket,path=${join(work, 'serial')},server=on,wait=off`],
    network: ['user,hostfwd=tcp:127.0.0.1:0-:7777'],
  };
}

async function wakeState(path: string, program: string): Promise<void> {
  const state = copyOf(path);
  const name = basename(state, '.sav');
  const disk = diskOf(path, name);
  const source = await openFile(state);
  try {
    const options = await wishesFor(source, disk === undefined ? undefined : copyOf(disk));
    const started = performance.now();
    const formats = new Map([...options.disks].map(([place, file]) => [place, extname(file).slice(1)]));
    const prepared = await prepareWake(source, options, formats);
    const [first] = prepared.refusals;
    if (first) {
      count.refused++;
      console.log(`${name}: refused: ${first.reason}`);
      return;
    }
    const sink = await openFileSink(join(work, 'machine.qemu'), { force: true });
    const { machine, proof } = await wake(source, sink, prepared, { program }).finally(() => sink.abort());
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (!proof?.holds) throw new Error(`differs: ${proof?.differences.join(', ')}`);
    count.woken++;
    console.log(`${name}: ${machine}: ${proof.pages} pages and ${proof.registers} registers equal, ${seconds} s`);
    await runOn(name, prepared, program, options);
  } catch (error) {
    count.failed++;
    console.log(`${name}: ${program}: FAILED: ${error instanceof Error ? error.message : error}`);
  } finally {
    await source.close();
  }

  async function runOn(guest: string, prepared: PreparedWake, qemu: string, wishes: WakeOptions): Promise<void> {
    const check = GUEST_CHECKS.find(({ names }) => names.test(guest))?.check;
    if (!check) return;
    const { process: machine, woken } = await wakeAndRun(source, prepared, ['-display', 'none'], {
      program: qemu,
      proof: false,
    });
    const running: RunningGuest = {
      qemu: machine,
      serial: join(work, 'serial'),
      disk: [...wishes.disks.values()][0] ?? '',
      folder: work,
      program: qemu,
      tscFactor: (woken.hostTscHz ?? 0) / prepared.units.need<Tm>('tm/1').tscHz,
      screenshot: async () => Buffer.from((await screenshotOf(source)).png),
    };
    try {
      console.log(`  ${await check(running)}`);
      count.ran++;
    } finally {
      await machine.quit();
    }
  }
}
