import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { openContainer } from '../../formats/ssm/open.ts';
import { PayloadReader } from '../../formats/ssm/payload.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { loadState } from '../machine/load.ts';
import { saveState } from '../machine/save.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { Guest } from '../running/guest.ts';
import { RunningMachine } from '../running/running-machine.ts';
import type { WorkloadKind } from '../running/schedule.ts';
import { convert } from '../saved-state/convert/convert.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import { verify } from '../saved-state/verify/verify.ts';
import { STATES_FOLDER } from '../testing/states.ts';
import { type LiveSaveOptions, type LiveSaveReport, liveSave } from './live-save.ts';
import { memoryDigest } from './testing/memory-digest.ts';

const RAM = 4 * MIB;

async function runningMachine(kind: WorkloadKind, rate = 3000): Promise<RunningMachine> {
  const running = RunningMachine.of(await emptyMachine(RAM), { kind, rate, seed: 5, pages: 40 });
  // Memory that was written before the save is saved, too.
  running.runSteps(500);
  running.resume();
  return running;
}

async function saveLive(
  running: RunningMachine,
  options: LiveSaveOptions = {},
): Promise<{ report: LiveSaveReport; bytes: Uint8Array }> {
  const sink = new MemorySink();
  const report = await liveSave(running, sink, options);
  return { report, bytes: sink.view() };
}

function expectNothingLeft(running: RunningMachine): void {
  const { memory } = running;
  expect(memory.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0 });
  expect(memory.monitor.user).toBeUndefined();
  expect(memory.noMorePhysWrites).toBe(false);
}

/** Names, instances and passes of the units. */
async function unitsOf(bytes: Uint8Array): Promise<string[]> {
  return (await walkState(bufferSource(bytes))).units.map(({ name, pass }) => `${name}:${pass}`);
}

describe('liveSave()', () => {
  it.each(['idle', 'counter', 'hot', 'random', 'scan', 'alloc', 'device'] as const)(
    '%s: gives a state whole, live, and equal to the machine that stands',
    async (kind) => {
      const running = await runningMachine(kind);
      const { bytes, report } = await saveLive(running, { leaveSuspended: true });
      expect(running.state).toBe('suspended');
      expectNothingLeft(running);
      const source = bufferSource(bytes);
      const checked = await verify(source);
      expect(checked).toMatchObject({ verdict: 'whole' });
      expect(checked.state?.header.live).toBe(true);
      const loaded = await loadState(source);
      expect(memoryDigest(loaded.memory)).toBe(memoryDigest(running.memory));
      const guest = Guest.find(loaded.memory);
      guest?.tick(100);
      expect(guest?.check()).toMatchObject({ steps: running.guest.block.steps + 100, faults: [] });
      expect(report.passes.length).toBeGreaterThan(3);
      running.stop();
    },
  );

  it('is flattened by convert to a plain state of the same memory, with proof', async () => {
    const running = await runningMachine('random');
    const { bytes } = await saveLive(running, { leaveSuspended: true });
    const flat = new MemorySink();
    const { proof } = await convert(bufferSource(bytes), flat, { flatten: true, proof: true });
    expect(proof?.equal).toBe(true);
    const loaded = await loadState(bufferSource(flat.view()));
    expect(memoryDigest(loaded.memory)).toBe(memoryDigest(running.memory));
  });

  it('lets the machine run on before and after, and stops it for the final pass only', async () => {
    const running = await runningMachine('hot', 20_000);
    const steps = [running.guest.block.steps];
    const states: string[] = [];
    // A disk that takes its time: a small save could be over before it is the guest's turn.
    const sink = new MemorySink();
    const write = sink.write.bind(sink);
    sink.write = async (bytes) => {
      await write(bytes);
      while (running.state === 'running-ls' && running.guest.block.steps === steps[0]) await setImmediate();
    };
    const report = await liveSave(running, sink, {
      onPass: ({ pass }) => {
        states.push(`${pass === 'final' ? pass : 'live'} ${running.state}`);
        steps.push(running.guest.block.steps);
      },
    });
    expect(new Set(states)).toEqual(new Set(['live running-ls', 'final saving']));
    expect(steps.at(-2)).toBeGreaterThan(steps[0]);
    expect(report.wasSuspended).toBe(false);
    expect(running.state).toBe('running');
    const at = running.guest.block.steps;
    while (running.guest.block.steps === at) await setImmediate();
    running.stop();
    expect(running.selfCheck().faults).toEqual([]);
  });

  it('counts by the names of VirtualBox, while it runs and afterwards', async () => {
    const running = await runningMachine('idle');
    const { statistics } = running.machine;
    const active: unknown[] = [];
    await saveLive(running, { onPass: () => active.push(statistics.valueOf('/PGM/LiveSave/fActive')) });
    running.stop();
    expect(new Set(active)).toEqual(new Set([1]));
    expect(statistics.valueOf('/PGM/LiveSave/fActive')).toBe(0);
    expect(statistics.valueOf('/PGM/LiveSave/Rom/cReadPages')).toBe(28);
    expect(statistics.valueOf('/PGM/LiveSave/Mmio2/cReadPages')).toBe(MIB / PAGE_SIZE);
    expect(statistics.valueOf('/PGM/LiveSave/Ram/cReadPages')).toBe((RAM - 0x60000) / PAGE_SIZE);
    expect(statistics.valueOf('/PGM/LiveSave/Ram/cDirtyPages')).toBe(0);
  });

  it.each([10, 11, 12, 13])('writes pgm %d as it was loaded', async (version) => {
    const plain = new MemorySink();
    await saveState(await emptyMachine(RAM), plain);
    const old = new MemorySink();
    await convert(bufferSource(plain.view()), old, { pgm: version, allowLoss: true });
    const running = RunningMachine.of(await loadState(bufferSource(old.view())), { kind: 'random', rate: 2000 });
    running.runSteps(200);
    running.resume();
    const { bytes } = await saveLive(running, { leaveSuspended: true });
    const checked = await verify(bufferSource(bytes));
    expect(checked).toMatchObject({ verdict: 'whole' });
    expect(checked.state?.pgm?.version).toBe(version);
    expect(memoryDigest((await loadState(bufferSource(bytes))).memory)).toBe(memoryDigest(running.memory));
  });

  it('puts units where VirtualBox puts them: build and CPUID in pass 0, progress in between, all in the final part', async () => {
    const machine = await loadState(bufferSource(readFileSync(join(STATES_FOLDER, 'own-long.sav'))));
    const running = RunningMachine.of(machine, { kind: 'idle' });
    running.resume();
    const { bytes } = await saveLive(running);
    running.stop();
    const units = await unitsOf(bytes);
    const real = await unitsOf(readFileSync(join(STATES_FOLDER, 'own-long-live.sav')));
    const firstPass = (all: string[]) => all.slice(0, all.indexOf('pgm:1'));
    expect(firstPass(units)).toEqual(firstPass(real));
    expect(units.slice(firstPass(units).length, 10)).toEqual(['pgm:1', 'SSMLiveControl:1', 'pgm:2']);
    const finals = (all: string[]) =>
      all.filter((unit) => unit.endsWith(':final') && !unit.startsWith('SSMLiveControl'));
    expect(finals(units)).toEqual(finals(real));
    expect(units.at(-1)).toBe('SSMLiveControl:final');
    expect(await progressOf(bytes)).toEqual([182, 364, ...(await progressOf(bytes)).slice(2, -1), 9604]);
  });

  it('writes build, CPUID and configurations of devices into pass 0 as VirtualBox does', async () => {
    const real = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));
    const running = RunningMachine.of(await loadState(bufferSource(real)), { kind: 'idle' });
    running.resume();
    const { bytes } = await saveLive(running);
    running.stop();
    for (const name of ['SSM', 'cpum', 'i8254', 'mc146818', 'VMMDev', 'pdm'])
      expect(Buffer.compare(await payloadOf(bytes, name, 0), await payloadOf(real, name, 0)), name).toBe(0);
  });
});

async function payloadOf(bytes: Uint8Array, name: string, pass: number): Promise<Uint8Array> {
  const container = await openContainer(bufferSource(bytes));
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    const payload = await new PayloadReader(container).rest(MIB);
    if (unit.name === name && unit.pass === pass) return payload.slice();
  }
  throw new Error(`no ${name} in pass ${pass}`);
}

async function progressOf(bytes: Uint8Array): Promise<number[]> {
  const values: number[] = [];
  const container = await openContainer(bufferSource(bytes));
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    const payload = await new PayloadReader(container).rest(RAM * 2);
    if (unit.name === 'SSMLiveControl') values.push(payload[0] | (payload[1] << 8));
  }
  return values;
}
