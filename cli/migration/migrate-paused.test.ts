import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { askMachine } from '../control/control-client.ts';
import { keepRunning } from '../control/keep-running.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-migrate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('brings a paused machine to receive --control, where it is paused until its user resumes it', async () => {
  const [here, there] = [join(folder, 'here.sock'), join(folder, 'there.sock')];
  const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'random', rate: 1000 });
  running.runSteps(100);
  const stop = new AbortController();
  const kept = keepRunning({ name: 'vm', running }, { socket: here, signal: stop.signal });
  const records = ['--insecure', '--records', folder];
  const target = new SavkitProcess('receive', '--listen', '127.0.0.1:0', '--control', there, ...records);
  try {
    const source = new SavkitProcess(
      'migrate',
      here,
      '--to',
      `127.0.0.1:${await target.port()}`,
      '--proof',
      'full',
      ...records,
    );
    expect((await source.ended).result).toMatchObject({
      outcome: 'handed-over',
      paused: true,
      proof: { mode: 'full' },
    });
    await target.event('control');
    const ask = (command: 'status' | 'resume' | 'stop') => askMachine(there, { command }, () => {}, stop.signal);
    expect(await ask('status')).toMatchObject({ state: 'suspended', steps: 100, faults: 0 });
    expect(await ask('resume')).toMatchObject({ state: 'running' });
    await ask('stop');
    expect((await target.ended).exitCode).toBe(0);
    await kept;
  } finally {
    stop.abort();
    target.child.kill();
  }
});
