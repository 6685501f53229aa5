import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../formats/sizes.ts';
import { type DiskWork, faultyDisk } from '../formats/testing/faulty-disk.ts';
import { enterWorld, REAL_WORLD } from '../formats/world/world.ts';
import { emptyMachine } from '../src/running/empty-machine.ts';
import { RunningMachine } from '../src/running/running-machine.ts';
import { qemuSample } from '../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { operate } from './control/operations.ts';
import { stop } from './io/stop.ts';
import { runHere } from './testing/run-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-disk-'));
const inputs = join(folder, 'in');
const out = join(folder, 'out');
const OLD = Buffer.from('what was there before');

beforeAll(() => {
  mkdirSync(inputs);
  for (const name of ['own-long.sav', 'own-long-live.sav', 'own-pae.sav'])
    copyFileSync(join(STATES_FOLDER, name), join(inputs, name));
  const state = readFileSync(join(inputs, 'own-long.sav'));
  writeFileSync(join(inputs, 'cut.sav'), state.subarray(0, state.length / 2));
  for (const name of ['long-10.state', 'mapped-10.state']) writeFileSync(join(inputs, name), qemuSample(name));
  for (const name of readdirSync(inputs)) original.set(name, readFileSync(join(inputs, name)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => void enterWorld(REAL_WORLD));

/** Words of a command, in which `IN/` and `OUT/` stand for the folders; the output is `OUT/file`. */
const COMMANDS: [string, string][] = [
  ['convert', 'convert IN/own-long.sav OUT/file --container 1.2'],
  ['convert --flatten', 'convert IN/own-long-live.sav OUT/file --flatten'],
  ['convert, of QEMU', 'convert IN/mapped-10.state OUT/file'],
  ['salvage', 'salvage IN/cut.sav OUT/file'],
  ['salvage, of QEMU', 'salvage IN/long-10.state OUT/file'],
  ['manifest', 'manifest IN/own-long.sav -o OUT/file'],
  ['adapt', 'adapt IN/own-long.sav --donor IN/own-pae.sav -o OUT/file --accept risk,loss'],
  ['poke', 'poke IN/own-long.sav --at 0x1000 --hex 00112233 -o OUT/file'],
  ['extract', 'extract IN/own-long.sav -o OUT/file'],
  ['extract --format elf', 'extract IN/own-long.sav --format elf -o OUT/file'],
  ['report', 'report IN/own-long.sav -o OUT/file'],
];

/** Does the work on a disk that does as `fault` says. @returns exit code and all that was told */
async function onDisk(work: () => Promise<{ exitCode: unknown; told: string }>, fault: Fault) {
  const unsynced: string[] = [];
  let count = 0;
  const disk = faultyDisk({
    fault: (kind, path) =>
      kind === 'close' || (path.startsWith(out) && kind !== 'read') ? fault(++count, kind) : undefined,
    onUnsynced: (path) => unsynced.push(path),
  });
  enterWorld({ ...REAL_WORLD, disk, time: { ...REAL_WORLD.time, date: () => 1.7e12 } });
  try {
    return { ...(await work()), count, unsynced };
  } finally {
    enterWorld(REAL_WORLD);
  }
}
type Fault = (count: number, work: DiskWork) => string | undefined;

function ran(words: string) {
  return async () => {
    const split = words.split(' ').map((word) => word.replace('IN/', `${inputs}/`).replace('OUT/', `${out}/`));
    const { exitCode, both } = await runHere(...split);
    return { exitCode, told: both };
  };
}

/** The same machine each time, which runs and is saved meanwhile. */
function savedLive(force: boolean) {
  return async () => {
    const running = RunningMachine.of(await emptyMachine(2 * MIB), { kind: 'device', rate: 5000, patternSize: 4096 });
    running.runSteps(400);
    running.resume();
    const request = { path: join(out, 'file'), force, maxDowntimeMs: 300, stay: false };
    try {
      await operate('live-save', { name: 'box', running }, request as never, () => {}, new AbortController().signal);
      return { exitCode: 0, told: '' };
    } catch (error) {
      expect(running.state, 'it runs on').toBe('running');
      return { exitCode: 4, told: (error as Error).message };
    } finally {
      running.stop();
    }
  };
}

function fresh(isThere: boolean): void {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  if (isThere) writeFileSync(join(out, 'file'), OLD);
}

/** Numbers of some moments, evenly spread: two in place of an older file, else five. */
function momentsOf(count: number, isThere: boolean): number[] {
  const step = Math.max(1, count / (isThere ? 2 : 5));
  return Array.from({ length: Math.floor(count / step) }, (_, i) => Math.floor(1 + i * step));
}

function isComplete(bytes: Buffer, words: string): boolean {
  if (words !== '') return typeof JSON.parse(bytes.toString()) === 'object';
  return bytes.subarray(-64).toString('latin1').includes('\nFooter');
}

const original = new Map<string, Buffer>();

function changedInputs(): string[] {
  return readdirSync(inputs).filter((name) => original.get(name)?.equals(readFileSync(join(inputs, name))) !== true);
}

describe.each([
  ['a new file', false],
  ['a file in place of another one', true],
])('%s, written by', (_, isThere) => {
  const force = isThere ? ' --force' : '';
  it.each([...COMMANDS, ['live-save', '']])(
    '%s, is whole or not there, whatever the disk does',
    async (_name, words) => {
      const work = words === '' ? savedLive(isThere) : ran(words + force);
      fresh(isThere);
      const good = await onDisk(work, () => undefined);
      expect(good.unsynced, 'named before its bytes were on disk').toEqual([]);
      expect(readdirSync(out), good.told).toEqual(['file']);
      const whole = readFileSync(join(out, 'file'));
      // A machine that runs is never the same twice; a manifest tells when it was made.
      const isSame = words !== '' && !words.startsWith('manifest');
      const isWhole = (bytes: Buffer) => (isSame ? bytes.equals(whole) : isComplete(bytes, words));
      for (const last of [false, true]) {
        for (const at of momentsOf(good.count, isThere)) {
          fresh(isThere);
          let failed = '';
          const { exitCode, told } = await onDisk(work, (now, kind) => {
            if (last ? now < at : now !== at) return undefined;
            failed ||= `${kind} at ${now}${last ? ' and all after' : ''}`;
            return at % 2 === 0 ? 'EIO' : 'ENOSPC';
          });
          const names = readdirSync(out);
          const there = names.includes('file') ? readFileSync(join(out, 'file')) : undefined;
          const isOld = there === undefined ? !isThere : there.equals(OLD);
          expect(isOld || (there !== undefined && isWhole(there)), `${failed}: ${there?.length} bytes`).toBe(true);
          if (isOld && failed !== '')
            expect([exitCode, told], failed).toEqual([
              4,
              expect.stringMatching(/Cannot write|no space|input\/output/i),
            ]);
          // Only a file that cannot be removed stays.
          const isStuck = last || failed.startsWith('unlink');
          expect(
            names.filter((name) => name !== 'file' && !(isStuck && name.endsWith('.part'))),
            failed,
          ).toEqual([]);
        }
      }
      expect(changedInputs()).toEqual([]);
    },
  );
});

/** Gives `stop`, which all commands of this process share, a signal of its own for one command. */
async function stoppable<T>(work: (abort: () => void) => Promise<T>): Promise<T> {
  const own = new AbortController();
  Object.defineProperty(stop, 'signal', { value: own.signal, configurable: true });
  try {
    return await work(() => own.abort());
  } finally {
    Reflect.deleteProperty(stop, 'signal');
  }
}

describe('the output of', () => {
  it.each([...COMMANDS, ['convert --force', `${COMMANDS[0][1]} --force`]])(
    '%s, is there after exit code 0 or 3, and not after 130, whenever the command is stopped',
    async (_name, words) => {
      const stoppedAt = async (at: number) => {
        fresh(words.endsWith('--force'));
        return stoppable((abort) =>
          onDisk(ran(words), (now) => {
            if (now === at) abort();
            return undefined;
          }),
        );
      };
      const { count, exitCode: good } = await stoppedAt(-1);
      const codes = new Set<unknown>();
      // The output gets its name in the last moments.
      for (const at of [1, ...Array.from({ length: 4 }, (_, i) => count - i)]) {
        const { exitCode, told } = await stoppedAt(at);
        codes.add(exitCode);
        const there = readdirSync(out).includes('file') && !readFileSync(join(out, 'file')).equals(OLD);
        expect([exitCode, there], `at ${at} of ${count}: ${told}`).toEqual(there ? [good, true] : [130, false]);
      }
      expect(codes).toEqual(new Set([130, good]));
    },
  );
});
