import { expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { askMachine } from '../control/control-client.ts';
import { testGround } from '../testing/test-ground.ts';

const { path, start, keep } = testGround('migrate-paused');

it('brings a paused machine to receive --control, where it is paused until its user resumes it', async () => {
  const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'random', rate: 1000 });
  running.runSteps(100);
  await keep({ name: 'vm', running }, path('here.sock'));
  const records = ['--insecure', '--records', path('records')];
  const target = start('receive', '--listen', '127.0.0.1:0', '--control', path('there.sock'), ...records);
  const to = `127.0.0.1:${await target.port()}`;
  const source = start('migrate', path('here.sock'), '--to', to, '--proof', 'full', ...records);
  expect((await source.ended).result).toMatchObject({
    outcome: 'handed-over',
    paused: true,
    proof: { mode: 'full' },
  });
  await target.event('control');
  const ask = (command: 'status' | 'resume' | 'stop') =>
    askMachine(path('there.sock'), { command }, () => {}, new AbortController().signal);
  expect(await ask('status')).toMatchObject({ state: 'suspended', steps: 100, faults: 0 });
  expect(await ask('resume')).toMatchObject({ state: 'running' });
  await ask('stop');
  expect((await target.ended).exitCode).toBe(0);
  await running.ended;
});
