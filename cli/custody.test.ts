import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openFile } from '../formats/files/source.ts';
import { MIB } from '../formats/sizes.ts';
import { DecisionMemory } from '../migrations/hand-over/decision-record.ts';
import { migrate, newMigrationId } from '../migrations/source/migration.ts';
import type { SavkitProcess } from '../migrations/testing/savkit-process.ts';
import { connectToTarget } from '../migrations/trust/connect-to-target.ts';
import { DepartingMachine } from '../migrations/virtual-machine/departing-machine.ts';
import { loadState } from '../src/machine/load.ts';
import { emptyMachine } from '../src/running/empty-machine.ts';
import { Guest } from '../src/running/guest.ts';
import { RunningMachine } from '../src/running/running-machine.ts';
import { askMachine } from './control/control-client.ts';
import { custody } from './process/custody.ts';
import { ExitCode } from './process/exit-codes.ts';
import { testGround } from './testing/test-ground.ts';

const { folder, ending, start } = testGround('custody');
let count = 0;
const path = (name: string) => join(folder, `${count}-${name}`);
const status = (socket: string) => askMachine(socket, { command: 'status' }, () => {}, AbortSignal.timeout(60_000));

function startTarget(): SavkitProcess {
  count++;
  const files = ['--records', path('records'), '--control', path('vm.sock'), '--keep-in', path('kept.sav')];
  return start('receive', '--listen', '127.0.0.1:0', '--insecure', ...files);
}

/** Hands a machine of this process over. @returns how many steps it has done */
async function handOver(port: number): Promise<number> {
  const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'random', rate: 1000 });
  running.resume();
  const { outcome } = await migrate(new DepartingMachine('vm', running.machine, running), {
    connect: () => connectToTarget({ host: '127.0.0.1', port }, { kind: 'insecure' }),
    ...{ migration: newMigrationId(), log: new DecisionMemory() },
  });
  expect(outcome).toBe('handed-over');
  return running.guest.block.steps;
}

/** Closes the ends that read a process's output. */
function closePipes({ child }: SavkitProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** Expects that the machine in a file is sound, and has gone on at least so far. */
async function expectSound(file: string, steps: number): Promise<void> {
  const source = await openFile(file);
  const { memory } = await loadState(source);
  await source.close();
  const check = Guest.find(memory)?.check();
  expect(check?.faults).toEqual([]);
  expect(check?.steps).toBeGreaterThanOrEqual(steps);
}

/** Waits until the process has said something on stderr. */
async function said({ child }: SavkitProcess, words: string): Promise<string> {
  let text = '';
  for await (const chunk of child.stderr?.iterator({ destroyOnReturn: false }) ?? []) {
    text += chunk;
    if (text.includes(words)) return text;
  }
  throw new Error(`it has ended without "${words}": ${text}`);
}

describe('a process that has a machine', () => {
  it.each(['listening', 'ready', 'running'])(
    'keeps a machine that has arrived, though nobody reads its output from %s on; SIGTERM saves it',
    async (event) => {
      const target = startTarget();
      const port = await target.port();
      const closed = target.event(event).then(() => closePipes(target));
      const steps = await handOver(port);
      await closed;
      for (const signal of ['SIGHUP', 'SIGINT'] as const) {
        target.child.kill(signal);
        await expect.poll(() => status(path('vm.sock')).catch(() => undefined)).toMatchObject({ state: 'running' });
      }
      target.child.kill('SIGTERM');
      expect((await target.ended).exitCode).toBe(130);
      await expectSound(path('kept.sav'), steps);
    },
  );

  it('answers Ctrl-C with the ways out; the second one saves it', async () => {
    const target = startTarget();
    const steps = await handOver(await target.port());
    await target.event('control');
    target.child.kill('SIGINT');
    const answer = await said(target, 'saves it to');
    for (const way of [
      `savkit live-save ${path('vm.sock')} FILE`,
      `savkit control ${path('vm.sock')} stop`,
      path('kept.sav'),
    ])
      expect(answer).toContain(way);
    target.child.kill('SIGINT');
    expect(await target.ended).toMatchObject({
      exitCode: 130,
      result: { savedTo: path('kept.sav'), workload: { faults: 0 } },
    });
    await expectSound(path('kept.sav'), steps);
  });

  it('stays when it cannot be saved, and after an error in its own code', async () => {
    count++;
    const [socket, file] = [path('vm.sock'), join(path('gone'), 'kept.sav')];
    mkdirSync(path('gone'));
    process.env.NODE_OPTIONS = `--import=data:text/javascript,process.on('SIGUSR2',()=>{throw(new(Error)('oops'))})`;
    const source = start('run', '--ram', '4M', '--workload', 'random', '--socket', socket, '--keep-in', file);
    delete process.env.NODE_OPTIONS;
    await source.event('running');
    source.child.kill('SIGUSR2');
    expect(await said(source, 'kept all the same')).toContain('Error: oops');
    rmSync(path('gone'), { recursive: true });
    // A file where a folder should be.
    await askMachine(socket, { command: 'save', path: path('gone') }, () => {}, AbortSignal.timeout(60_000));
    source.child.kill('SIGTERM');
    expect(await said(source, 'stays as it was')).toContain(`savkit live-save ${socket} FILE`);
    expect(await status(socket)).toMatchObject({ state: 'running' });
    rmSync(path('gone'));
    source.child.kill('SIGTERM');
    expect(await source.ended).toMatchObject({ exitCode: 130, result: { savedTo: file } });
    await expectSound(file, 1);
  });

  it.runIf(existsSync('/dev/full'))('is not ended by a full disk behind its output', async () => {
    count++;
    const full = openSync('/dev/full', 'w');
    const options = ['--ram', '4M', '--workload', 'random', '--socket', path('vm.sock'), '--keep-in', path('kept.sav')];
    const child = spawn(process.execPath, ['dist/bin/savkit.js', 'run', ...options, '--ndjson'], {
      stdio: ['ignore', full, full],
    });
    closeSync(full);
    ending.push(() => child.kill('SIGKILL'));
    await expect.poll(() => status(path('vm.sock')).catch(() => undefined)).toMatchObject({ state: 'running' });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([130, null]);
    await expectSound(path('kept.sav'), 1);
  });
});

it.runIf(process.platform === 'linux')(
  'a process whose terminal closes dies of that, and dumps no memory',
  async () => {
    count++;
    // The shell gets SIGHUP, and hands it on.
    const lines = [
      `"${process.execPath}" dist/bin/savkit.js receive --listen 127.0.0.1:0 --insecure &`,
      'p=$!',
      "trap 'kill -HUP $p' HUP",
      'wait $p',
      'wait $p',
      `echo $? >"${path('status')}"`,
    ];
    writeFileSync(path('script'), lines.join('\n'));
    const terminal = spawn('script', ['-qfec', `exec sh "${path('script')}"`, '/dev/null']);
    ending.push(() => terminal.kill('SIGKILL'));
    for await (const words of terminal.stdout) if (`${words}`.includes('Waiting')) break;
    terminal.kill('SIGKILL');
    // 128 plus the number of SIGHUP.
    await expect
      .poll(() => (existsSync(path('status')) ? readFileSync(path('status'), 'utf8') : ''), { timeout: 60_000 })
      .toBe('129\n');
  },
);

it('an error that nobody caught is told, without its words being able to steer the terminal', () => {
  const told = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const exit = vi.spyOn(process, 'exit').mockReturnValue(undefined as never);
  custody.uncaught(new RangeError('name \x1b[2J\nall is well'));
  const text = told.mock.calls.join('');
  const codes = exit.mock.calls;
  told.mockRestore();
  exit.mockRestore();
  expect(text).toMatch(/^Internal error: RangeError: name \?\[2J\n {2}all is well\n/);
  expect(codes).toEqual([[ExitCode.INTERNAL]]);
});

it('signals are heard once, however many commands a process runs', () => {
  const before = process.listenerCount('SIGINT');
  custody.watch(() => {});
  const one = process.listenerCount('SIGINT');
  custody.watch(() => {});
  expect([one - before <= 1, process.listenerCount('SIGINT')]).toEqual([true, one]);
});
