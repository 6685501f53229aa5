import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runHere } from './testing/run-here.ts';
import { savkitFile } from './testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-run-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const main = fileURLToPath(new URL('../dist/bin/savkit.js', import.meta.url));

/**
 * Starts a machine in a process of its own; gives its socket once that is open, and what the process said at its end.
 */
async function start(...args: string[]): Promise<{
  socket: string;
  ended: Promise<{ exitCode: number | null; events: Record<string, unknown>[] }>;
  kill: (signal: NodeJS.Signals) => void;
}> {
  const socket = join(folder, `${Math.random().toString(36).slice(2)}.sock`);
  const child = spawn(process.execPath, [main, 'run', ...args, '--socket', socket, '--ndjson'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      if (output.includes('"event":"running"')) resolve();
    });
  });
  const events = () =>
    output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  const ended = new Promise<{ exitCode: number | null; events: Record<string, unknown>[] }>((resolve) =>
    child.on('close', (exitCode) => resolve({ exitCode, events: events() })),
  );
  await Promise.race([ready, ended]);
  return { socket, ended, kill: (signal) => child.kill(signal) };
}

describe('savkit run', () => {
  it('runs, is saved live and plain from another process, and goes on from both files', async () => {
    const { socket, ended } = await start('--ram', '16M', '--workload', 'random', '--rate', '3000');
    const live = join(folder, 'live.sav');
    const plain = join(folder, 'plain.sav');
    const saved = await savkitFile<{ passes: object[] }>('live-save', socket, live);
    expect(saved.result.passes.at(-1)).toMatchObject({ pass: 'final', dirtyPages: 0 });
    expect((await savkitFile('control', socket, 'save', plain)).result).toMatchObject({ path: plain });
    expect((await savkitFile('control', socket, 'status')).result).toMatchObject({ state: 'running', faults: 0 });
    expect((await savkitFile('control', socket, 'check')).result.faults).toEqual([]);
    expect((await runHere('control', socket, 'stop')).exitCode).toBe(0);
    const { exitCode, events } = await ended;
    expect(exitCode).toBe(0);
    expect(events.at(-1)).toMatchObject({ event: 'end', command: 'run', exitCode: 0 });
    expect(existsSync(socket)).toBe(false);
    for (const path of [live, plain]) {
      expect((await savkitFile('verify', path)).result.verdict).toBe('whole');
      const again = await savkitFile<{ check: { steps: number } }>('run', path, '--for', '0.2');
      expect(again).toMatchObject({
        exitCode: 0,
        result: { workload: { kind: 'random' }, state: 'off', check: { faults: [] } },
      });
      expect(again.result.check.steps).toBeGreaterThan(500);
    }
  });

  it('goes on from the file that a signal had it saved to, which --force replaces', async () => {
    const file = join(folder, 'kept.sav');
    writeFileSync(file, '');
    expect(
      (await start('--ram', '4M', '--workload', 'counter', '--keep-in', file).then(({ ended }) => ended)).exitCode,
    ).toBe(4);
    const { socket, ended, kill } = await start('--ram', '4M', '--workload', 'counter', '--keep-in', file, '--force');
    kill('SIGTERM');
    const { exitCode, events } = await ended;
    expect([exitCode, existsSync(socket)]).toEqual([130, false]);
    expect(events.at(-1)).toMatchObject({ files: [{ result: { savedTo: file } }] });
    expect(await savkitFile('run', file, '--for', '0.1')).toMatchObject({
      exitCode: 0,
      result: { check: { faults: [] } },
    });
  });

  it('records a trace and replays it', async () => {
    const trace = join(folder, 'trace');
    const recorded = await savkitFile(
      'run',
      '--ram',
      '4M',
      '--workload',
      'hot',
      '--pages',
      '20',
      '--for',
      '0.3',
      '--record',
      trace,
    );
    expect(recorded.exitCode).toBe(0);
    expect(readFileSync(trace, 'utf8').split('\n')[0]).toContain('"format":"savkit-trace/1"');
    expect(await savkitFile('run', '--ram', '4M', '--trace', trace, '--for', '0.3')).toMatchObject({
      exitCode: 0,
      result: { check: { faults: [] } },
    });
  });

  it.each([
    [['run'], 'give a saved state'],
    [['run', '--ram', '4M', '--rate', '5'], 'which --workload?'],
    [['control', 'vm.sock', 'throttle', '1'], 'Cannot throttle by 1: expected a number from 0 to 0.99'],
  ])('%j is refused as wrong usage', async (args, why) => {
    const { exitCode, stderr } = await runHere(...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(why) });
  });

  it('ends with 4 where there is no machine, or no place for its socket', async () => {
    const unreached = await runHere('live-save', '/no/machine.sock', 'x.sav');
    expect(unreached).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('there is no control socket') });
    const unopened = await runHere('run', '--ram', '4M', '--workload', 'idle', '--socket', folder);
    expect(unopened).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('Cannot open control socket') });
  });

  it('refuses a malformed time', async () => {
    const { exitCode, stderr } = await runHere('run', '--ram', '4M', '--workload', 'idle', '--for', 'x');
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringContaining('--for x: expected a number'),
    });
  });

  it.each([
    [['--workload', 'trace'], 'it needs a --trace FILE'],
    [['--workload', 'hot', '--trace', 'any'], '--trace goes with workload trace'],
  ])('refuses %j: %s', async (options, why) => {
    const { exitCode, stderr } = await runHere('run', '--ram', '4M', ...options);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)]);
  });

  it('ends with 1 for a file that is no trace', async () => {
    const path = join(folder, 'no-trace');
    writeFileSync(path, 'hello');
    expect((await runHere('run', '--ram', '4M', '--workload', 'trace', '--trace', path)).exitCode).toBe(1);
  });
});
