import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { bufferSource } from '../../formats/files/source.ts';
import { MIB } from '../../formats/sizes.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { loadState } from '../machine/load.ts';
import type { MachineEvent } from '../machine/machine-states.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { RunningMachine } from '../running/running-machine.ts';
import { DirtyTracker } from './dirty-tracker.ts';
import { type LiveSaveOptions, liveSave } from './live-save.ts';
import { memoryDigest } from './testing/memory-digest.ts';

async function runningMachine(rate = 5000): Promise<RunningMachine> {
  const running = RunningMachine.of(await emptyMachine(2 * MIB), { kind: 'device', rate, patternSize: 4096 });
  running.runSteps(400);
  running.resume();
  return running;
}

/** Fails at its write number `at`, from 0. */
function failingSink(at: number): ByteSink & { writes: number } {
  return {
    writes: 0,
    async write() {
      if (this.writes++ === at) throw new EnvironmentError('ENOSPC', 'Cannot write: no space left');
    },
  };
}

/** Expects that a save has left the machine alone: it runs, nothing of the save stays, and the next save is whole. */
async function expectUnharmed(running: RunningMachine): Promise<void> {
  expect(running.state).toBe('running');
  expect(running.memory.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0 });
  expect(running.memory.monitor.user).toBeUndefined();
  expect(running.memory.noMorePhysWrites).toBe(false);
  running.runSteps(100);
  expect(running.selfCheck().faults).toEqual([]);
}

async function expectSavesWhole(running: RunningMachine): Promise<void> {
  const sink = new MemorySink();
  await liveSave(running, sink, { leaveSuspended: true });
  expect(memoryDigest((await loadState(bufferSource(sink.view()))).memory)).toBe(memoryDigest(running.memory));
  running.resume();
}

/** One save that must fail; gives the error. */
async function failedSave(
  running: RunningMachine,
  options: LiveSaveOptions,
  sink: ByteSink = new MemorySink(),
): Promise<{ code?: string; vboxCode?: string }> {
  return liveSave(running, sink, options).then(
    () => expect.unreachable('the save succeeded'),
    (error) => error,
  );
}

describe('liveSave(), failing', () => {
  it('at any write of the sink, leaves the machine running and whole', async () => {
    const running = await runningMachine();
    let failures = 0;
    for (let saved = false; !saved; ) {
      await liveSave(running, failingSink(failures)).then(
        () => {
          saved = true;
        },
        (error) => {
          expect(error).toMatchObject({ code: 'ENOSPC' });
          failures++;
        },
      );
      await expectUnharmed(running);
    }
    expect(failures).toBeGreaterThan(5);
    await expectSavesWhole(running);
    running.stop();
  });

  it('in the final part, resumes the machine that it had suspended', async () => {
    const running = await runningMachine();
    for (let unit = 0; unit < 3; unit++) {
      let writes = 0;
      const sink: ByteSink = {
        async write() {
          if (running.state === 'saving' && writes++ === unit)
            throw new EnvironmentError('EIO', 'Cannot write: broken');
        },
      };
      expect(await failedSave(running, {}, sink)).toMatchObject({ code: 'EIO' });
      expect(writes).toBeGreaterThan(unit);
      await expectUnharmed(running);
    }
    await expectSavesWhole(running);
    running.stop();
  });

  it('cancelled after any pass or in the final part, leaves the machine running and whole', async () => {
    const running = await runningMachine();
    for (const when of [0, 1, 2, 3, 'final'] as const) {
      const abort = new AbortController();
      const error = await failedSave(running, {
        signal: abort.signal,
        onPass: ({ pass }) => pass === when && abort.abort(),
      });
      expect(error).toMatchObject({ code: 'interrupted', vboxCode: 'VERR_SSM_CANCELLED' });
      await expectUnharmed(running);
    }
    await expectSavesWhole(running);
    running.stop();
  });

  it('cancelled before it begins or in the midst of a pass, leaves the machine running and whole', async () => {
    const running = await runningMachine();
    expect(await failedSave(running, { signal: AbortSignal.abort() })).toMatchObject({ code: 'interrupted' });
    await expectUnharmed(running);
    const abort = new AbortController();
    const sink: ByteSink = { write: async () => abort.abort() };
    expect(await failedSave(running, { signal: abort.signal }, sink)).toMatchObject({ code: 'interrupted' });
    await expectUnharmed(running);
    running.stop();
  });

  it.each([
    ['too many passes', { limits: { passes: 2 } }, { code: 'too-many-passes', vboxCode: 'VERR_SSM_TOO_MANY_PASSES' }],
    [
      'growth beyond the limit',
      { limits: { bytes: 1000 } },
      { code: 'grew-too-big', vboxCode: 'VERR_SSM_STATE_GREW_TOO_BIG' },
    ],
    [
      'a full disk',
      { freeSpace: async () => 10 * MIB - 1 },
      { code: 'low-on-disk-space', vboxCode: 'VERR_SSM_LOW_ON_DISK_SPACE' },
    ],
  ] as const)('for %s, says so and leaves the machine running', async (_, options, expected) => {
    const running = await runningMachine();
    expect(await failedSave(running, options)).toMatchObject(expected);
    await expectUnharmed(running);
    running.stop();
  });

  it('while another tracks the machine, or saves it, is refused and disturbs nobody', async () => {
    const running = await runningMachine();
    const other = new DirtyTracker(running.memory, 'migration');
    other.prepare();
    await other.scan(0);
    const { monitored } = running.memory.pages.counts;
    expect(await failedSave(running, {})).toMatchObject({ vboxCode: 'VERR_PGM_WRITE_MONITOR_ENGAGED' });
    expect(running.state).toBe('running');
    expect(running.memory.monitor.user).toBe('migration');
    expect(running.memory.pages.counts.monitored).toBe(monitored);
    other.finish();
    const first = liveSave(running, new MemorySink());
    expect(await failedSave(running, {})).toMatchObject({ code: 'bad-machine-state' });
    await first;
    await expectUnharmed(running);
    running.stop();
  });

  it.each([
    ['suspend', 'suspended'],
    ['suspend-ext', 'suspended'],
  ] as const)('goes on where the user had it %s meanwhile, and leaves it so', async (event, state) => {
    const running = await runningMachine();
    const sink = new MemorySink();
    const report = await liveSave(running, sink, { onPass: ({ pass }) => pass === 1 && running.dispatch(event) });
    expect(report).toMatchObject({ wasSuspended: true, downtimeMs: 0 });
    expect(running.state).toBe(state);
    expect(memoryDigest((await loadState(bufferSource(sink.view()))).memory)).toBe(memoryDigest(running.memory));
  });

  it('waits for a debugger to let the machine go', async () => {
    const running = await runningMachine();
    let looks = 0;
    const events: MachineEvent[] = [];
    const report = await liveSave(
      {
        machine: running.machine,
        get state() {
          if (running.state === 'debugging-ls' && ++looks === 3) running.dispatch('resume');
          return running.state;
        },
        dispatch: (event) => {
          events.push(event);
          running.dispatch(event);
        },
      },
      new MemorySink(),
      { onPass: ({ pass }) => pass === 1 && running.dispatch('debug') },
    );
    expect(looks).toBeGreaterThanOrEqual(3);
    expect(report.wasSuspended).toBe(false);
    expect(events).toEqual(['live-save', 'passes-done', 'stopped', 'final-pass', 'saved', 'resume']);
    running.stop();
  });

  it.each([
    ['power-off', 'off', 'VERR_SSM_LIVE_POWERED_OFF'],
    ['fatal-error', 'fatal-error', 'VERR_SSM_LIVE_FATAL_ERROR'],
    ['guru-meditation', 'guru-meditation', 'VERR_SSM_LIVE_GURU_MEDITATION'],
  ] as const)('ends with a machine that ends by %s', async (event, state, vboxCode) => {
    const running = await runningMachine();
    expect(await failedSave(running, { onPass: ({ pass }) => pass === 1 && running.dispatch(event) })).toMatchObject({
      code: 'machine-ended',
      vboxCode,
    });
    expect(running.state).toBe(state);
    expect(running.memory.monitor.user).toBeUndefined();
    expect(running.memory.pages.counts.monitored).toBe(0);
  });

  it('keeps a machine that was suspended meanwhile so when it fails', async () => {
    const running = await runningMachine();
    await failedSave(running, { limits: { passes: 3 }, onPass: ({ pass }) => pass === 1 && running.pause() });
    expect(running.state).toBe('suspended');
    expect(running.memory.monitor.user).toBeUndefined();
  });
});
