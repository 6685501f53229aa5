import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFileSink } from '../../formats/files/sink.ts';
import { bufferSource } from '../../formats/files/source.ts';
import { loadState } from '../../src/machine/load.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { END_MARKER, SECRET_LINE } from '../testing/frames.ts';
import { type Line, scriptedPeer } from '../testing/scripted-peer.ts';
import { wireBetween } from '../testing/wire-between.ts';
import { authenticate } from './await-source.ts';
import { Peer } from './peer.ts';
import { receiveState } from './receive.ts';
import { teleportRunning } from './teleport-running.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-long.sav'));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-teleport-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A real state whose memory a workload writes to. */
async function runningState(): Promise<RunningMachine> {
  const running = RunningMachine.of(await loadState(bufferSource(state)), {
    kind: 'hot',
    rate: 5000,
    pages: 40,
    seed: 3,
  });
  running.resume();
  return running;
}

/** Teleports to our own receiver. @returns the state that arrived */
async function teleportToFile(running: RunningMachine): Promise<Uint8Array> {
  const { left, right } = wireBetween();
  const path = join(folder, 'vm.sav');
  const target = new Peer(right, 'source');
  const received = authenticate(target, 'secret').then(async () =>
    receiveState(target, await openFileSink(path), { ending: 'hand-over' }),
  );
  await teleportRunning(new Peer(left, 'target'), running, { password: SECRET_LINE });
  expect((await received).end).toBe('handed-over');
  return readFileSync(path);
}

const refusing: Line[] = [
  { say: 'VirtualBox-Teleporter-1.0\n' },
  { hear: `${SECRET_LINE}\n` },
  { say: 'ACK\n' },
  { hear: 'load\n' },
  { say: 'ACK\n' },
  { hear: END_MARKER.toString('latin1') },
];

describe('teleportRunning()', () => {
  it('hands a machine over that runs until the last pass, and goes on there without a lost step', async () => {
    const running = await runningState();
    const bytes = await teleportToFile(running);
    expect(() => running.resume()).toThrow('handed over');
    const { verdict, state: arrived } = await verify(bufferSource(bytes));
    expect(verdict).toBe('whole');
    expect(arrived?.header.live).toBe(true);
    const there = RunningMachine.of(await loadState(bufferSource(bytes)));
    expect(there.guest.block.steps).toBe(running.guest.block.steps);
    there.runSteps(500);
    expect(there.selfCheck().faults).toEqual([]);
  });

  it('leaves a machine that is suspended here paused there', async () => {
    const running = await runningState();
    running.pause();
    const { peer, heard } = scriptedPeer([
      ...refusing,
      { say: 'ACK\n' },
      { hear: 'lock-media\n' },
      { say: 'ACK\n' },
      { hear: 'hand-over' },
      { say: 'ACK\n' },
    ]);
    expect(await teleportRunning(peer, running, { password: SECRET_LINE })).toMatchObject({
      paused: true,
      passes: [],
      downtimeMs: 0,
    });
    await peer.close();
    expect((await heard).toString('latin1').endsWith('hand-over-paused\n')).toBe(true);
  });

  it('lets the machine run on when the target refuses it, before, during or after the stream', async () => {
    const scripts: Line[][] = [
      [{ close: true }],
      [...refusing.slice(0, 2), { say: 'NACK=-89\n' }, { close: true }],
      [...refusing.slice(0, 5), { say: 'NACK=-1844;Ram config mismatch\n' }, { close: true }],
      [...refusing, { say: 'NACK=-1858;no\n' }, { close: true }],
      [...refusing, { say: 'ACK\n' }, { hear: 'lock-media\n' }, { say: 'NACK=-115\n' }, { close: true }],
    ];
    for (const script of scripts) {
      const running = await runningState();
      const { peer } = scriptedPeer(script);
      await expect(teleportRunning(peer, running, { password: SECRET_LINE })).rejects.toThrow();
      peer.destroy();
      expect(running.state).toBe('running');
      expect(running.memory.pages.counts.monitored).toBe(0);
      running.runSteps(100);
      expect(running.selfCheck().faults).toEqual([]);
      running.stop();
    }
  });

  it('keeps the machine suspended when nobody knows whether the target runs it', async () => {
    const running = await runningState();
    const script = [
      ...refusing,
      { say: 'ACK\n' },
      { hear: 'lock-media\n' },
      { say: 'ACK\n' },
      { hear: 'hand-over-resume\n' },
      { close: true },
    ] as Line[];
    const { peer } = scriptedPeer(script);
    await expect(teleportRunning(peer, running, { password: SECRET_LINE })).rejects.toMatchObject({
      code: 'hand-over-unknown',
    });
    expect(running.state).toBe('suspended');
    expect(readdirSync(folder)).toEqual([]);
  });
});
