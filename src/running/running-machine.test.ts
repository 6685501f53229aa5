import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { FOUR_GIB, MIB } from '../../formats/sizes.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { liveSave } from '../live-save/live-save.ts';
import { loadState } from '../machine/load.ts';
import { saveState } from '../machine/save.ts';
import { verify } from '../saved-state/verify/verify.ts';
import { emptyMachine } from './empty-machine.ts';
import { Guest } from './guest.ts';
import { RunningMachine } from './running-machine.ts';
import { StepPacer } from './step-pacer.ts';

/** Waits until a machine has done more than so many steps. */
function steps({ guest }: RunningMachine, count: number): Promise<void> {
  return vi.waitFor(() => expect(guest.block.steps).toBeGreaterThan(count), { timeout: 60_000, interval: 5 });
}

describe('RunningMachine', () => {
  it('executes while others await, and not while it is paused', async () => {
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'random', rate: 20_000 });
    expect(running.state).toBe('suspended');
    running.resume();
    await steps(running, 100);
    running.pause();
    const { steps: done } = running.guest.block;
    await setTimeout(20);
    expect(running.guest.block.steps).toBe(done);
    running.resume();
    await steps(running, done);
    running.stop();
    expect(await running.ended).toBeUndefined();
    expect(running.selfCheck().faults).toEqual([]);
  });

  it('continues from a saved state where it was', async () => {
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'device', rate: 1000 });
    running.runSteps(12_345);
    const sink = new MemorySink();
    await saveState(running.machine, sink);
    const source = bufferSource(sink.view());
    const { verdict, findings } = await verify(source);
    expect({ verdict, findings }).toEqual({ verdict: 'whole', findings: [] });
    const again = RunningMachine.of(await loadState(source));
    expect(again.guest.kind).toBe('device');
    again.runSteps(1000);
    expect(again.selfCheck()).toMatchObject({ steps: 13_345, faults: [] });
  });

  it('refuses a machine without a workload, and actions that its state does not allow', async () => {
    const machine = await emptyMachine(4 * MIB);
    expect(() => RunningMachine.of(machine)).toThrow('its memory holds no workload');
    const running = RunningMachine.of(machine, { kind: 'idle' });
    expect(() => running.pause()).toThrow('Cannot suspend a machine: it is suspended');
    running.release();
    expect(await running.ended).toBeUndefined();
    expect(() => running.resume()).toThrow('it was handed over');
  });

  it('suspends itself when the host has no memory for it, and goes on when there is some, with nothing lost', async () => {
    const running = RunningMachine.of(await emptyMachine(8 * MIB), { kind: 'scan', rate: 20_000 });
    const { handy } = running.memory.pages.backing;
    handy.injectFailure = true;
    running.resume();
    while (running.state === 'running') await setTimeout(5);
    expect([running.state, running.runtimeError]).toEqual(['suspended', 'HostMemoryLow']);
    running.resume();
    await setTimeout(20);
    expect(running.runtimeError).toBe('HostMemoryLow');
    handy.injectFailure = false;
    const { steps } = running.guest.block;
    running.resume();
    await setTimeout(60);
    expect([running.state, running.runtimeError]).toEqual(['running', undefined]);
    expect(running.guest.block.steps).toBeGreaterThan(steps);
    running.stop();
    expect(running.selfCheck().faults).toEqual([]);
  });

  it('ends with the error of its guest', async () => {
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'scan', rate: 5000 });
    running.resume();
    running.memory.setNoMorePhysWrites(true);
    expect(await running.ended).toMatchObject({ code: 'no-more-writes' });
    expect(running.state).toBe('guru-meditation');
  });
});

describe('emptyMachine()', () => {
  it('has RAM below and above the hole', async () => {
    const { memory } = await emptyMachine(4096 * MIB);
    expect(memory.ranges.all.filter(({ kind }) => kind === 'ram').map(({ start, end }) => [start, end])).toEqual([
      [0, 0xa0000],
      [0x100000, 0x200000],
      [0x200000, 3584 * MIB],
      [FOUR_GIB, FOUR_GIB + 512 * MIB],
    ]);
  });

  it.each([0, 1 * MIB, 4 * MIB + 1, 2 ** 53, Number.NaN])('refuses %d bytes of RAM', async (size) => {
    await expect(emptyMachine(size)).rejects.toMatchObject({ code: 'bad-ram-size' });
  });
});

describe('Pacer', () => {
  it('makes steps due at their rate, keeps parts, and makes up for no more than 100 ms', () => {
    const pacer = new StepPacer(100, 0);
    expect([5, 10, 25, 30].map((now) => pacer.due(now))).toEqual([0, 1, 1, 1]);
    expect(pacer.due(10_000)).toBe(10);
    pacer.throttle = 0.5;
    expect(pacer.due(10_100)).toBe(5);
    pacer.start(20_000);
    expect(pacer.due(20_020)).toBe(1);
  });
});

describe('a reset', () => {
  it.each(['counter', 'random', 'scan', 'alloc', 'device'] as const)(
    'lets %s begin anew, running or not',
    async (kind) => {
      const running = RunningMachine.of(await emptyMachine(8 * MIB), { kind, rate: 10_000 });
      running.runSteps(500);
      running.reset();
      expect([running.state, running.guest.block.steps]).toEqual(['suspended', 0]);
      running.resume();
      running.runSteps(300);
      running.reset();
      expect(running.state).toBe('running');
      running.runSteps(200);
      running.pause();
      expect(running.selfCheck()).toMatchObject({ faults: [] });
      expect(RunningMachine.of(running.machine).guest.block.steps).toBe(running.guest.block.steps);
      running.stop();
      expect(() => running.reset()).toThrow('Cannot reset a machine: it is off');
    },
  );

  it('during a live save only makes many pages dirty', async () => {
    const running = RunningMachine.of(await emptyMachine(16 * MIB), { kind: 'random', rate: 100 });
    running.runSteps(5000);
    running.resume();
    const sink = new MemorySink();
    let passes = 0;
    await liveSave(running, sink, {
      maxDowntimeMs: 60_000,
      onPass: () => {
        if (passes++ < 2) running.reset();
      },
    });
    running.pause();
    expect(passes).toBeGreaterThan(1);
    const saved = await loadState(bufferSource(sink.view()));
    const guest = Guest.find(saved.memory);
    expect(guest?.check()).toMatchObject({ faults: [] });
    expect(guest?.block.steps).toBeLessThan(5000);
  });
});
