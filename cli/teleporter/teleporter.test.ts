import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { runHere } from '../testing/run-here.ts';
import { expectSchema, savkitFile } from '../testing/savkit-json.ts';

const live = join(STATES_FOLDER, 'own-long-live.sav');

let folder: string;
let output: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-teleporter-'));
  output = join(folder, 'vm.sav');
  vi.stubEnv('SAVKIT_TELEPORTER_PASSWORD', 'x');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function receive(...options: string[]): SavkitProcess {
  return new SavkitProcess('receive', '--teleporter', '--listen', '127.0.0.1:0', '-o', output, ...options);
}

function send(port: number, ...options: string[]): SavkitProcess {
  return new SavkitProcess('send', live, '--teleporter', '--to', `127.0.0.1:${port}`, ...options);
}

/** Sends a state in this process. */
async function sendHere(port: number, ...options: string[]): Promise<{ exitCode: number; error: string }> {
  const words = ['send', live, '--teleporter', '--to', `127.0.0.1:${port}`, ...options];
  const { exitCode, error } = await savkitFile(...words);
  return { exitCode, error: error?.message ?? '' };
}

/** The exit code and result of a command whose last event must match the schema of `--json`. */
async function endOf(process: SavkitProcess): Promise<Awaited<SavkitProcess['ended']>> {
  const end = await process.ended;
  const { event, ...document } = process.events.at(-1) ?? { event: 'none' };
  expect(event).toBe('end');
  expectSchema(document);
  return end;
}

describe('savkit receive --teleporter and savkit send --teleporter', () => {
  it('hand a machine over, from file to file', async () => {
    const target = receive('--then', 'hand-over');
    const source = send(await target.port(), '--paused');
    expect(await endOf(source)).toMatchObject({ exitCode: 0, result: { paused: true, bytes: statSync(live).size } });
    expect(await endOf(target)).toMatchObject({
      exitCode: 0,
      result: { end: 'handed-over', paused: true, flattened: false },
    });
    expect(readFileSync(output).equals(readFileSync(live))).toBe(true);
    expect(target.events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['listening', 'connected', 'progress', 'end']),
    );
    expect(source.events.filter(({ event }) => event === 'step').map(({ step }) => step)).toEqual([
      'welcome',
      'password',
      'load',
      'load-complete',
      'lock-media',
      'hand-over',
    ]);
  });

  it('hand a running machine over', async () => {
    const socket = join(folder, 'vm.sock');
    const machine = new SavkitProcess('run', live, '--workload', 'hot', '--socket', socket);
    const target = receive('--then', 'hand-over');
    const port = await target.port();
    while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 20));
    const source = new SavkitProcess('send', socket, '--teleporter', '--to', `127.0.0.1:${port}`);
    expect(await endOf(source)).toMatchObject({ exitCode: 0, error: '', result: { paused: false } });
    expect(await endOf(target)).toMatchObject({ exitCode: 0, result: { end: 'handed-over' } });
    await machine.ended;
    expect((await runHere('verify', output)).exitCode).toBe(0);
  });

  it('decline after a complete copy: the source reads why, and keeps the machine', async () => {
    const target = receive('--flatten');
    const refused = await sendHere(await target.port());
    expect(refused.exitCode).toBe(4);
    expect(refused.error).toContain('savkit has a complete copy of this machine');
    expect(refused.error).toContain('the machine stays here');
    expect(await endOf(target)).toMatchObject({ exitCode: 0, result: { end: 'declined', flattened: true } });
    expect((await runHere('inspect', output)).stdout).not.toContain('live save');
    expect(readdirSync(folder)).toEqual(['vm.sav']);
  });

  it('take no wrong password, and never print one', async () => {
    const wrong = join(folder, 'wrong.txt');
    writeFileSync(wrong, 'hush-hush\n');
    const target = receive();
    const source = send(await target.port(), '--password-file', wrong);
    const { exitCode, error } = await endOf(source);
    expect(exitCode).toBe(4);
    expect(error).toContain('does not take this password');
    await target.event('refused');
    target.child.kill('SIGINT');
    expect((await endOf(target)).exitCode).toBe(130);
    expect(JSON.stringify([source.events, target.events])).not.toContain('hush');
    expect(readdirSync(folder)).toEqual(['wrong.txt']);
  });

  it('want a password, but not on the command line', async () => {
    vi.stubEnv('SAVKIT_TELEPORTER_PASSWORD', undefined);
    const words = ['--teleporter', '--listen', '127.0.0.1:0', '-o', output];
    const { exitCode, stderr } = await runHere('receive', ...words);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--password-file');
    expect((await runHere('send', live, '--teleporter', '--to', '127.0.0.1:1', '--password', 'x')).exitCode).toBe(2);
  });

  it('say what cannot be done before anybody connects', async () => {
    writeFileSync(output, 'mine');
    const words = ['--teleporter', '--listen', '127.0.0.1:0', '-o', output];
    const { exitCode, stderr } = await runHere('receive', ...words);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('exists already')]);
    expect(readFileSync(output, 'utf8')).toBe('mine');
    expect(await sendHere(1)).toMatchObject({
      exitCode: 4,
      error: expect.stringContaining('Cannot connect to 127.0.0.1:1'),
    });
  });
});

describe('savkit relay', () => {
  it('watches and records what passes, alone or as an encrypted pair', async () => {
    const [key, record] = [join(folder, 'relay.key'), join(folder, 'record.sav')];
    writeFileSync(key, 'a secret of more than sixteen bytes\n');
    const target = receive('--then', 'hand-over');
    const near = ['--listen', '127.0.0.1:0', '--to', `127.0.0.1:${await target.port()}`];
    const second = new SavkitProcess('relay', ...near, '--encrypt', 'in', '--key-file', key, '--record', record);
    const first = new SavkitProcess(
      'relay',
      '--listen',
      '127.0.0.1:0',
      '--to',
      `127.0.0.1:${await second.port()}`,
      '--encrypt',
      'out',
      '--key-file',
      key,
    );
    expect((await sendHere(await first.port())).exitCode).toBe(0);
    for (const process of [first, second, target]) expect((await endOf(process)).exitCode).toBe(0);
    for (const file of [output, record]) expect(readFileSync(file).equals(readFileSync(live))).toBe(true);
  });

  it('ends with 3 when the machine stayed, but the recording is complete', async () => {
    const record = join(folder, 'record.sav');
    const target = receive();
    const relay = new SavkitProcess(
      'relay',
      '--listen',
      '127.0.0.1:0',
      '--to',
      `127.0.0.1:${await target.port()}`,
      '--record',
      record,
    );
    expect((await sendHere(await relay.port())).exitCode).toBe(4);
    expect(await endOf(relay)).toMatchObject({
      exitCode: 3,
      result: { end: 'refused', recorded: true, refusal: { at: 'load-complete', status: -1858 } },
    });
    expect((await endOf(target)).exitCode).toBe(0);
    expect(readFileSync(record).equals(readFileSync(live))).toBe(true);
  });

  it('wants a key when it is to encrypt', async () => {
    const words = ['--listen', '127.0.0.1:0', '--to', '127.0.0.1:1', '--encrypt', 'in'];
    const { exitCode, stderr } = await runHere('relay', ...words);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--key-file');
  });
});
