import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { runHere } from '../testing/run-here.ts';
import { runSavkit } from '../testing/run-savkit.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-messages-'));
const socket = join(folder, 'vm.sock');
const records = ['--records', join(folder, 'records')];
const machine = new SavkitProcess(
  'run',
  '--ram',
  '16M',
  '--workload',
  'random',
  '--rate',
  '5000',
  '--bytes',
  '4096',
  '--socket',
  socket,
);
beforeAll(() => machine.event('running').then(() => {}));
afterAll(() => {
  machine.child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command. @returns the text that a person sees, on either stream */
async function said(...args: string[]): Promise<{ exitCode: unknown; text: string }> {
  const { exitCode, stdout, stderr } = await runHere(...args);
  return { exitCode, text: readable(`${stdout}${stderr}`) };
}

function readable(text: string): string {
  expect(text).not.toMatch(
    /\d[eE][+-]\d|\bMB\b|\{"|\bE[A-Z]{4,}\b|\b1 (rounds|pages|passes|streams|steps)\b|undefined|NaN/,
  );
  for (const row of text.split('\n').filter((each) => /^ {2,}\w+( {2,}\w+){4,}/.test(each)))
    expect(row.length).toBeLessThanOrEqual(80);
  return text;
}

describe('migrate', () => {
  it.each([
    [socket, ['--to', 'there'], 2, 'expected HOST:PORT, e.g. there:7000'],
    [socket, ['--to', 'there:7000', '--streams', '0'], 2, 'Cannot use --streams 0'],
    [socket, ['--to', 'there:7000', '--bandwidth', 'fast'], 2, 'Cannot read number "fast"'],
    [join(folder, 'no.sock'), ['--to', 'there:7000'], 4, 'no.sock'],
    [socket, ['--to', 'there:7000'], 2, 'stdin is no terminal; give --code-file'],
  ])('asks for the code when all else is as it has to be: %s %j', async (file, options, exitCode, words) => {
    expect(await said('migrate', file, ...options, ...records)).toEqual({
      exitCode,
      text: expect.stringContaining(words),
    });
  });

  it('says in words that no target waits at the address', async () => {
    const { exitCode, text } = await said('migrate', socket, '--to', 'localhost:1', '--insecure', ...records);
    expect([exitCode, text]).toEqual([
      4,
      expect.stringMatching(
        /^Cannot connect to localhost:1: nobody listens there; is the other side started, and is this its port\?\n$/,
      ),
    ]);
  });

  it.each([
    ['migrate', [socket, '--max-downtime', '5000'], 0, 'would come to an end'],
    ['drain', [socket, '--to', 'localhost:1', '--insecure'], 3, 'localhost:1'],
  ])('%s --dry-run needs no home', async (command, options, exitCode, words) => {
    vi.stubEnv('XDG_STATE_HOME', undefined);
    vi.stubEnv('HOME', '');
    const dry = said(command, '--dry-run', ...options).finally(() => vi.unstubAllEnvs());
    expect(await dry).toEqual({ exitCode, text: expect.stringContaining(words) });
  });

  it('foretells with 0 that it would come to an end, with 3 that it would not, and why', async () => {
    const good = await said('migrate', socket, '--dry-run', '--max-downtime', '5000');
    expect(good).toEqual({ exitCode: 0, text: expect.stringContaining('would come to an end') });
    const limits = ['--bandwidth', '100K', '--max-downtime', '1', '--stalled-downtime', '1', '--time-limit', '60'];
    const { exitCode, text } = await said('migrate', socket, '--dry-run', ...limits, '--compression', 'never');
    expect([exitCode, text]).toEqual([
      3,
      expect.stringMatching(
        /would not come to an end: the guest dirties about .* MiB\/s, the link takes .* MiB\/s of pages/,
      ),
    ]);
  });

  it('names ways out when the time is over, and says limits in words', async () => {
    const target = new SavkitProcess('receive', '--listen', '127.0.0.1:0', '--insecure', ...records);
    const to = ['--to', `127.0.0.1:${await target.port()}`, '--insecure', ...records];
    const limits = ['--bandwidth', '200K', '--compression', 'never', '--max-downtime', '1'];
    const tooSlow = runSavkit(['migrate', socket, ...to, ...limits]);
    await target.event('arriving');
    const changed = await said('migrate', socket, '--change', '--bandwidth', '300K', '--time-limit', '0.5');
    expect(changed.text).toContain(
      'may now stand still for 1 ms, 1500 ms when rounds get no better; bandwidth: 300 KiB/s; time limit: 500 ms, then cancel',
    );
    const { exitCode, stdout, stderr } = await tooSlow;
    expect([exitCode, readable(`${stdout}${stderr}`)]).toEqual([
      4,
      expect.stringContaining('ways out: a longer stop (--max-downtime MS)'),
    ]);
    await target.ended;
  });
});
