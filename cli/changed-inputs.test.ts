import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { faultyDisk } from '../formats/testing/faulty-disk.ts';
import { enterWorld, REAL_WORLD } from '../formats/world/world.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-changed-'));
const state = join(folder, 'state.sav');
const output = join(folder, 'output');
const sample = join(STATES_FOLDER, 'own-long.sav');

afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => void enterWorld(REAL_WORLD));

const COMMANDS = [
  'inspect STATE',
  'verify STATE',
  'diff SAMPLE STATE',
  'find STATE --text no-such-text',
  'peek STATE --at 0',
  'stats STATE',
  'walk STATE 0x1000',
  'pagetable STATE',
  'check STATE --against SAMPLE',
  'extract STATE -o OUTPUT',
  'convert STATE OUTPUT --container 1.2',
  'manifest STATE -o OUTPUT',
  'salvage STATE OUTPUT',
  'adapt STATE --donor SAMPLE -o OUTPUT',
  'poke STATE --at 0x1000 --hex 00 -o OUTPUT',
  'poke STATE --at 0x1000 --hex 00 -o STATE --force --proof',
  'report STATE -o OUTPUT',
];

const CHANGES: Record<string, () => void> = {
  cut: () => truncateSync(state, 200_000),
  grown: () => appendFileSync(state, 'more'),
  'written to': () => {
    const fd = openSync(state, 'r+');
    writeSync(fd, Buffer.from([1]), 0, 1, 150_000);
    closeSync(fd);
    // The clock of a file system may go in steps of some ms.
    utimesSync(state, new Date(), new Date(Date.now() + 1000));
  },
  replaced: () => {
    copyFileSync(sample, `${state}.new`);
    renameSync(`${state}.new`, state);
  },
  removed: () => rmSync(state),
};

/** Runs a command, and calls `happens` just before its read number `at` of the state. */
async function runWhile(words: string, at: number, happens: () => void) {
  rmSync(output, { force: true });
  rmSync(state, { force: true });
  copyFileSync(sample, state);
  let reads = 0;
  const fault = (work: string, path: string) => {
    if (work === 'read' && path === state && ++reads === at) happens();
    return undefined;
  };
  enterWorld({ ...REAL_WORLD, disk: faultyDisk({ fault }) });
  const names: Record<string, string> = { STATE: state, SAMPLE: sample, OUTPUT: output };
  const { exitCode, both } = await runHere(...words.split(' ').map((word) => names[word] ?? word));
  enterWorld(REAL_WORLD);
  return { exitCode, both, reads };
}

describe.each(COMMANDS)('%s', (words) => {
  it('tells of a file that changes while it is read, and writes nothing', async () => {
    const { reads, exitCode, both } = await runWhile(words, 0, () => {});
    expect(exitCode, both).not.toBe(4);
    for (const [i, [name, change]] of Object.entries(CHANGES).entries()) {
      const at = i % 2 === 0 ? 1 : reads;
      const found = await runWhile(words, at, change);
      const when = `${name} before read ${at} of ${reads}: ${found.both}`;
      expect(found.exitCode, when).toBe(4);
      expect(found.both, when).toContain('Cannot trust the bytes read from');
      expect(existsSync(output), when).toBe(false);
    }
  });
});

it('a log may grow while it is read', async () => {
  const { reads } = await runWhile('explain STATE', 0, () => {});
  for (const [words, at] of [
    ['explain STATE', 1],
    ['explain STATE', reads],
    ['check SAMPLE --host-cpuid STATE', 1],
  ] as const) {
    const found = await runWhile(words, at, CHANGES.grown);
    expect(found.reads, words).toBeGreaterThanOrEqual(at);
    expect(found.both, words).not.toContain('Cannot trust');
  }
});
