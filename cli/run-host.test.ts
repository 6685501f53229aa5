import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { writeFileSink } from '../formats/files/sink.ts';
import { MIB } from '../formats/sizes.ts';
import { saveState } from '../src/machine/save.ts';
import { emptyMachine } from '../src/running/empty-machine.ts';
import { RunningMachine } from '../src/running/running-machine.ts';
import type { MachineStatus } from './control/replies.ts';
import { runHere } from './testing/run-here.ts';
import { savkitFile } from './testing/savkit-json.ts';
import { testGround } from './testing/test-ground.ts';

const { path, ending, start, keep } = testGround('run-host');
const main = fileURLToPath(new URL('../dist/bin/savkit.js', import.meta.url));

type Ran = MachineStatus & { check: { faults: object[]; pages: number } };

/** Runs a machine for a short time in this process. @returns its report */
async function ran(...options: string[]): Promise<Ran> {
  const { exitCode, result } = await savkitFile<Ran>('run', ...options, '--socket', path('own.sock'), '--for', '0.3');
  expect([exitCode, result.state, result.check.faults]).toEqual([0, 'off', []]);
  return result;
}

describe('savkit run', () => {
  it('--cpus, --shadow: a guest with page tables of its own on those of such a host', async () => {
    const { cpus, host, check } = await ran(
      ...['--ram', '8M', '--workload', 'paging', '--pages', '50', '--rate', '5000'],
      ...['--cpus', '3', '--shadow', 'pae+nx,raw'],
    );
    expect(host?.paging).toBe('PAE+NX,raw');
    expect(cpus).toHaveLength(3);
    expect(new Set(cpus?.map(({ guestMode }) => guestMode)).size).toBe(1);
    expect(check.pages).toBeGreaterThan(10);
  });

  it('--large-pages: memory in pages of 2 MiB', async () => {
    const { host, pages } = await ran(
      ...['--ram', '8M', '--workload', 'random', '--rate', '5000', '--shadow', 'AMD64,ept', '--large-pages'],
    );
    expect(host?.largePages.allocated).toBeGreaterThan(0);
    expect(pages.private).toBeGreaterThanOrEqual(512 * (host?.largePages.allocated ?? 0));
  });

  it('--host-limit: a machine that cannot even start is told once', async () => {
    const { exitCode, stderr } = await runHere(
      ...['run', '--ram', '64M', '--workload', 'paging', '--shadow', 'PAE+NX,raw', '--host-limit', '1M', '--for', '1'],
    );
    expect([exitCode, stderr]).toEqual([
      4,
      expect.stringMatching(/^Cannot allocate 256 pages: of the host's 256, \d+ are/),
    ]);
  });

  it('--preallocate: all RAM has memory at once, and after a reset', async () => {
    const ramPages = (4 * MIB - 0x6_0000) / 4096;
    const running = start('run', '--ram', '4M', '--workload', 'idle', '--preallocate', '--socket', path('vm.sock'));
    await running.event('running');
    for (const action of ['status', 'reset', 'status'])
      expect(
        (await savkitFile<MachineStatus>('control', path('vm.sock'), action)).result.pages.private,
      ).toBeGreaterThan(ramPages);
    await runHere('control', path('vm.sock'), 'stop');
    expect((await running.ended).exitCode).toBe(0);
  });

  it('--share-with: pages that another machine on the host has, too, are kept once', async () => {
    const file = path('same.sav');
    const other = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'random', rate: 20, patternSize: 4096 });
    other.runSteps(500);
    await writeFileSink(file, {}, (sink) => saveState(other.machine, sink));
    const again = start('run', file, '--share-with', file, '--socket', path('vm.sock'));
    await again.event('running');
    const status = () => savkitFile<MachineStatus>('control', path('vm.sock'), 'status');
    await vi.waitFor(async () => expect((await status()).result.host?.duplicatePages).toBeGreaterThan(50), 60_000);
    const { host } = (await status()).result;
    expect(host?.sharing?.exchangedPages).toBeGreaterThan(50);
    expect((await runHere('control', path('vm.sock'), 'status')).stdout).toMatch(/\d+ pages less by sharing, after/);
    await runHere('control', path('vm.sock'), 'stop');
    expect(await again.ended).toMatchObject({ exitCode: 0, result: { check: { faults: [] } } });
  });

  describe('--host-limit: a machine that needs more', () => {
    const needy = ['--ram', '16M', '--workload', 'scan', '--rate', '100000', '--host-limit', '4M'];

    it('waits, says so, and tries again when asked', async () => {
      const run = start('run', ...needy, '--socket', path('vm.sock'));
      expect(await run.event('runtime-error')).toMatchObject({ error: 'HostMemoryLow' });
      const { stdout } = await runHere('control', path('vm.sock'), 'status');
      expect(stdout).toContain('the host has no memory left for it (HostMemoryLow); resume tries again');
      const { result } = await savkitFile<MachineStatus>('control', path('vm.sock'), 'status');
      expect(result).toMatchObject({ state: 'suspended', runtimeError: 'HostMemoryLow' });
      const before = run.events.length;
      await runHere('control', path('vm.sock'), 'resume');
      await vi.waitUntil(() => run.events.slice(before).some(({ event }) => event === 'runtime-error'), 60_000);
      await runHere('control', path('vm.sock'), 'stop');
      expect((await run.ended).exitCode).toBe(0);
    });

    it('ends after the time of --for while it waits', async () => {
      const { exitCode, both } = await runHere('run', ...needy, '--for', '0.5', '--socket', path('own.sock'));
      expect([exitCode, both]).toEqual([0, expect.stringContaining('the host has no memory left for it')]);
    });
  });

  it.each([
    [['--cpus', '0'], 'expected 1 to 64'],
    [['--shadow', 'PAE,raw,ept'], 'alone or with ,raw ,nested or ,ept'],
    [['--large-pages', '--shadow', 'PAE'], 'they go with nested paging'],
    [['--host-limit', '100'], 'expected at least a page, 4096 bytes'],
  ])('refuses %j: %s', async (options, why) => {
    const words = ['run', '--ram', '4M', '--workload', 'idle', '--socket', path('own.sock'), ...options];
    const { exitCode, stderr } = await runHere(...words);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(why)]);
  });
});

describe('receive --shadow', () => {
  it('lets a machine that arrives run on shadow tables', async () => {
    const machine = await emptyMachine(8 * MIB, { cpus: 2 });
    const running = RunningMachine.of(machine, { kind: 'paging', rate: 500, pages: 30 });
    running.runSteps(100);
    running.resume();
    await keep({ name: 'vm', running }, path('source.sock'));
    const target = start(
      ...['receive', '--listen', '127.0.0.1:0', '--insecure', '--records', path('t'), '--control', path('vm.sock')],
      ...['--shadow', 'AMD64+NX,nested'],
    );
    const to = `127.0.0.1:${await target.port()}`;
    const words = ['migrate', path('source.sock'), '--to', to, '--insecure', '--records', path('s')];
    expect((await start(...words).ended).exitCode).toBe(0);
    // The machine runs there before its control socket is open.
    await target.event('control');
    const { cpus, host } = (await savkitFile<MachineStatus>('control', path('vm.sock'), 'status')).result;
    expect([host?.paging, cpus?.map(({ shadowMode }) => shadowMode)]).toEqual([
      'AMD64+NX,nested',
      ['nested', 'nested'],
    ]);
    expect((await savkitFile('control', path('vm.sock'), 'check')).result.faults).toEqual([]);
    await runHere('control', path('vm.sock'), 'stop');
    expect(await target.ended).toMatchObject({ exitCode: 0, result: { workload: { faults: 0 } } });
  });
});

describe('stats --watch', () => {
  it('shows what has changed since the last look, until it is interrupted', async () => {
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'hot', rate: 1000, pages: 10 });
    running.resume();
    await keep({ name: 'vm', running }, path('vm.sock'));
    const words = ['stats', path('vm.sock'), '/PGM/R3/Phys/Write*', '--watch', '0.1'];
    const watching = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
    ending.push(() => watching.kill('SIGKILL'));
    let shown = '';
    watching.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
      if (shown.split('\n\n').length > 3) watching.kill('SIGINT');
    });
    const [exitCode] = await once(watching, 'close');
    expect(exitCode).toBe(130);
    const values = [...shown.matchAll(/Phys\/Write +(\d+) /g)].map(([, value]) => Number(value));
    expect(values.length).toBeGreaterThan(2);
    expect(values).toEqual([...new Set(values)].sort((a, b) => a - b));
  });
});
