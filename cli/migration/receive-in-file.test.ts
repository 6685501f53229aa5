import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { runHere } from '../testing/run-here.ts';
import { savkitFile, savkitJson } from '../testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-in-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const started: SavkitProcess[] = [];
afterEach(() => {
  for (const { child } of started.splice(0)) child.kill('SIGKILL');
});
const STATE = 'test-vectors/states/own-pae.sav';
const trust = ['--insecure', '--records', join(folder, 'records')];

function receive(...options: string[]): SavkitProcess {
  const target = new SavkitProcess('receive', '--listen', '127.0.0.1:0', ...trust, ...options);
  started.push(target);
  return target;
}

it('refuses a machine that it could not run before a page of it moves', async () => {
  const target = receive();
  const { exitCode, stderr } = await runHere('migrate', STATE, '--to', `127.0.0.1:${await target.port()}`, ...trust);
  expect([exitCode, stderr]).toEqual([
    5,
    expect.stringContaining(
      'holds no workload that savkit could run, and this side was given no file to keep it in (savkit receive -o FILE)',
    ),
  ]);
  await target.event('refused');
  expect(target.events.map(({ event }) => event)).not.toContain('round');
});

it('keeps the machine in the file of -o, and both sides say that it is in a file', async () => {
  const file = join(folder, 'there.sav');
  const target = receive('-o', file);
  const to = ['--to', `127.0.0.1:${await target.port()}`];
  const { exitCode, stdout } = await runHere('migrate', STATE, ...to, ...trust);
  expect([exitCode, stdout]).toEqual([
    0,
    expect.stringContaining(`${STATE}: is at the target, in a file; it does not run there`),
  ]);
  await target.event('arrived-in-file');
  expect(await target.ended).toMatchObject({ exitCode: 0, result: { savedTo: file, workload: null } });
  expect((await savkitFile('verify', file)).result.verdict).toBe('whole');
  expect((await savkitJson('diff', STATE, file)).exitCode).toBe(0);
});

it('keeps a machine with a workload there, too', async () => {
  const file = join(folder, 'kept.sav');
  const source = new SavkitProcess('run', '--ram', '4M', '--workload', 'random', '--socket', join(folder, 'vm.sock'));
  started.push(source);
  await source.event('running');
  const target = receive('-o', file);
  const { result } = (
    await savkitJson('migrate', join(folder, 'vm.sock'), '--to', `127.0.0.1:${await target.port()}`, ...trust)
  ).files[0];
  expect(result).toMatchObject({ outcome: 'handed-over', inFile: true });
  expect((await target.ended).result).toMatchObject({ savedTo: file, workload: null });
  expect((await source.ended).result.movedTo).toMatch(/^127/);
  expect((await savkitFile<{ check: { faults: [] } }>('run', file, '--for', '0.1')).result.check.faults).toEqual([]);
  expect(existsSync(file)).toBe(true);
});

it.each([
  ['--wait', '1'],
  ['--wait', '1', '--keep'],
])(
  'waits for no machine that it could not save when it is told to end, as this user has no home: %s %s %s',
  async (...options) => {
    vi.stubEnv('XDG_STATE_HOME', undefined);
    vi.stubEnv('HOME', '');
    const received = runHere('receive', '--listen', '127.0.0.1:0', ...trust, ...options);
    const { stderr, exitCode } = await received.finally(() => vi.unstubAllEnvs());
    expect([exitCode, stderr]).toEqual([
      4,
      expect.stringMatching(/^Cannot find a folder to keep records and machines/),
    ]);
  },
);
