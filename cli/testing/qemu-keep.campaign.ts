import { closeSync, copyFileSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { readRecord } from '../../migrations/hand-over/decision-record.ts';
import { QmpClient } from '../../migrations/qmp/qmp-client.ts';
import { RealQemu } from '../../migrations/testing/real-qemu.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { counterOf, memoryOf, whyWrong } from './bare-guest.ts';

// npm run campaign -- qemu-keep [--qemu 7|10]: migrates a bare guest between two real QEMUs, the kernel noting its
// writes, while another process writes to its memory: of that the kernel tells nothing. The audit has to find it, and
// the state that savkit keeps has to hold all of it: QEMU loads the state, and the guest goes on. Needs root.

const NAMES = { source: 'keep-a', target: 'keep-b', woken: 'keep-c' };
/** Pages that the guest does not use. */
const FIRST = 0x800000;
const PAGES = 1000;
const RUN_MS = 1000;

const { values } = parseArgs({ options: { qemu: { type: 'string', default: '10' } } });
const qemu = RealQemu.find();
const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-keep-'));
const ramOf = (name: string) => `/dev/shm/savkit-qemu-${name}.ram`;
const faults: string[] = [];
try {
  await qemu.stop(...Object.values(NAMES));
  await qemu.start(NAMES.source, ['--qemu', values.qemu, '--guest', 'mini-long']);
  await setTimeout(RUN_MS);
  const kept = await migrateWhileOthersWrite();
  if (kept === undefined) faults.push('no write was lost, or no state kept');
  else await wake(kept);
} finally {
  await qemu.stop(...Object.values(NAMES));
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.log(`BAD  ${fault}`);
console.log(faults.length === 0 ? 'the state that was kept is right' : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);

/** @returns path of the state that savkit has kept */
async function migrateWhileOthersWrite(): Promise<string | undefined> {
  const args = join(folder, 'args');
  writeFileSync(args, qemu.commandLineFor(NAMES.target, NAMES.source));
  const common = ['--insecure', '--records'];
  const receive = ['receive', '--listen', '127.0.0.1:0', '--qemu-args', args, ...common, join(folder, 'target')];
  const target = new SavkitProcess(...receive);
  const to = ['--to', `127.0.0.1:${await target.port()}`, '--tracking', 'kernel', '--proof', 'audited'];
  const records = join(folder, 'source');
  const source = new SavkitProcess('migrate', `qmp:${qemu.qmpOf(NAMES.source)}`, ...to, ...common, records);
  await writeUntilHandedOver(records, source);
  const { result, exitCode } = await source.ended;
  await target.ended;
  const pid = await recordIn(join(folder, 'target')).then((record) => record?.guest?.pid);
  if (pid !== undefined) qemu.adopt(NAMES.target, pid);
  const { afterwards } = (result.proof ?? {}) as { afterwards?: { lostPages: number; keptIn: string } };
  console.log(`exit code ${exitCode}, ${afterwards?.lostPages ?? 0} pages lost, kept in ${afterwards?.keptIn ?? ''}`);
  return afterwards?.keptIn || undefined;
}

async function writeUntilHandedOver(records: string, source: SavkitProcess): Promise<void> {
  const file = openSync(ramOf(NAMES.source), 'r+');
  const isOver = async () => source.child.exitCode !== null || (await recordIn(records))?.decision === 'handed-over';
  for (let i = 0; !(await isOver()); i++) {
    writeSync(file, Buffer.from(`savkit ${i}`), 0, undefined, FIRST + (i % PAGES) * PAGE_SIZE);
    await setTimeout(1);
  }
  closeSync(file);
}

async function recordIn(path: string) {
  try {
    const name = readdirSync(path).find((file) => /\.(source|target)\.json$/.test(file));
    return name === undefined ? undefined : await readRecord(join(path, name));
  } catch {
    // The folder is not there yet.
    return undefined;
  }
}

/** Has QEMU load a state, and checks that the guest goes on. */
async function wake(kept: string): Promise<void> {
  const left = join(folder, 'left.ram');
  copyFileSync(ramOf(NAMES.source), left);
  await qemu.start(NAMES.woken, ['--like', NAMES.source, '--incoming', `exec:cat ${kept}`, '--paused']);
  await setTimeout(RUN_MS);
  const qmp = await QmpClient.connect(qemu.secondQmpOf(NAMES.woken));
  if (!memoryOf(ramOf(NAMES.woken)).equals(memoryOf(left))) faults.push('its memory is not that of the source');
  await qmp.execute('cont');
  await setTimeout(RUN_MS);
  await qmp.execute('stop');
  qmp.close();
  if (counterOf(ramOf(NAMES.woken)) <= counterOf(left)) faults.push('the guest does not go on');
  const why = whyWrong(memoryOf(ramOf(NAMES.woken)), memoryOf(left));
  if (why !== '') faults.push(`when the guest had gone on, ${why}`);
}
