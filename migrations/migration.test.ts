import { describe, expect, it } from 'vitest';
import { after, stopTimer } from '../formats/world/waiting.ts';
import type { SourceDecision, TargetDecision } from './hand-over/decision-record.ts';
import { resolve } from './hand-over/resolve.ts';
import { loadZstd } from './pages/zstd.ts';
import { useIdleTime } from './simulation/world/idle-time.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair } from './testing/pair.ts';
import type { PlainMachine } from './testing/plain-machine.ts';
import type { Fate } from './testing/wire-tap.ts';
import { encodeFrame } from './wire/payload.ts';

useIdleTime();

/** Writes to some pages in each round while the machine runs. */
function withWorkload(machine: PlainMachine, pages = 40): PlainMachine {
  machine.onTakeDirty = () => {
    machine.ticks++;
    for (let i = 0; i < pages; i++)
      machine.write(
        (machine.ticks * 7 + i * 3) % (machine.memory.length / 4096),
        (machine.ticks * 13 + i) % 4096,
        machine.ticks,
      );
  };
  return machine;
}

function expectMoved(pair: Pair, machine: PlainMachine): void {
  const arrived = pair.host.machine as PlainMachine;
  expect(Buffer.compare(arrived.memory, machine.memory)).toBe(0);
  expect(arrived).toMatchObject({ isRunning: true, ticks: machine.ticks });
  expect(machine).toMatchObject({ isRunning: false, isReleased: true });
}

describe('a migration', () => {
  it('moves an idle machine: memory byte-identical, running at the target only', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine();
    const report = await pair.migrate(machine);
    expect(report).toMatchObject({ because: '', outcome: 'handed-over' });
    expectMoved(pair, machine);
    const { downtime, downtimeMs } = report;
    expect(Object.values(downtime).reduce((sum, ms) => sum + ms)).toBeCloseTo(downtimeMs, 6);
    expect(downtime.decision).toBeGreaterThanOrEqual(0);
    // On a busy host the first decision is written again, to measure how long that takes by now.
    expect([...new Set(pair.sourceLog.written)]).toEqual(['migrating', 'handed-over', 'done']);
    expect(pair.targetLog.written).toEqual(['receiving', 'ready', 'started']);
  });

  it('needs no limits, and refuses bad options before anything happens', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine();
    await expect(pair.migrate(machine, { limits: { bandwidth: 0 } })).rejects.toMatchObject({ code: 'bad-limit' });
    for (const option of ['compression', 'proof'])
      await expect(pair.migrate(machine, { [option]: 'zip' })).rejects.toMatchObject({ code: 'bad-value' });
    for (const streams of [0, 17, 1.5])
      await expect(pair.migrate(machine, { streams })).rejects.toMatchObject({ code: 'bad-count' });
    expect(pair.sourceLog.written).toEqual([]);
    expect(await pair.migrate(machine, { limits: { maxDowntimeMs: 100 } })).toMatchObject({ outcome: 'handed-over' });
    expectMoved(pair, machine);
  });

  it('moves a machine that writes meanwhile, with no write lost', async () => {
    const pair = await Pair.create();
    const machine = withWorkload(mixedMachine());
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'handed-over' });
    expect(machine.ticks).toBeGreaterThan(1);
    expectMoved(pair, machine);
  });

  it.each(['always', 'never'] as const)('uses every codec that pays, compression %s', async (compression) => {
    const pair = await Pair.create();
    const machine = withWorkload(mixedMachine(), 300);
    pair.limits.maxDowntimeMs = 1;
    pair.limits.timeLimitMs = 150;
    pair.limits.onTimeLimit = 'force';
    const report = await pair.migrate(machine, { compression, proof: 'audited' });
    expectMoved(pair, machine);
    const total = (codec: string) => report.rounds.reduce((sum, { codecs }) => sum + codecs[codec], 0);
    for (const codec of ['raw', 'same', 'delta']) expect(total(codec), codec).toBeGreaterThan(0);
    expect(total('zstd') > 0).toBe(compression === 'always' && (await loadZstd()) !== undefined);
  });

  it('that is cancelled ends at the target, too, which does not wait for a new link', async () => {
    const pair = await Pair.create();
    const cancel = new AbortController();
    pair.limits.bandwidth = 4e6;
    after(300, () => cancel.abort());
    const { outcome } = await pair.migrate(withWorkload(mixedMachine()), { streams: 4, signal: cancel.signal });
    expect(outcome).toBe('kept');
    await expect(pair.receiver.arrived).rejects.toThrow('cancel');
    expect(pair.targetLog.written.at(-1)).toBe('gave-up');
  });

  it('is given up at its time limit, in the midst of a round that would take much longer', async () => {
    const pair = await Pair.create();
    const machine = withWorkload(mixedMachine());
    Object.assign(pair.limits, { timeLimitMs: 200, bandwidth: 1e5 });
    let sent = 0;
    pair.tap = (from, name, frame) => {
      if (from === 'source' && name === 'pages') sent += frame.length;
      return 'pass';
    };
    const { outcome, because } = await pair.migrate(machine);
    expect({ outcome, because }).toEqual({ outcome: 'kept', because: 'Cannot go on: the time limit of 0.2 s is over' });
    // All of memory is several MB.
    expect(sent).toBeLessThan(1e6);
    expect(machine).toMatchObject({ isRunning: true, isReleased: false });
  });

  it('hashes both memories at rest where a time limit sends the machine off with a longer stop anyway', async () => {
    const pair = await Pair.create();
    const machine = withWorkload(mixedMachine(), 1500);
    // A link so slow that the rest takes seconds, on any machine, and hashing milliseconds.
    Object.assign(pair.limits, { maxDowntimeMs: 0, timeLimitMs: 1, onTimeLimit: 'force', bandwidth: 1e6 });
    const { proof, rounds } = await pair.migrate(machine);
    expect([proof?.mode, rounds.length]).toEqual(['full', 2]);
    expectMoved(pair, machine);
  });

  it('moves over several streams, each page on one of them', async () => {
    const pair = await Pair.create();
    const machine = withWorkload(mixedMachine(3000), 100);
    const report = await pair.migrate(machine, { streams: 4 });
    expect(report).toMatchObject({ because: '', streams: 4, outcome: 'handed-over' });
    expectMoved(pair, machine);
  });

  it('goes on after a cut without sending again what has arrived', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine(4000);
    let sent = 0;
    pair.tap = (from, name, frame, link) => {
      if (from === 'source' && name === 'pages') sent += frame.length;
      return link === 0 && sent > 6_000_000 ? 'cut-before' : 'pass';
    };
    const report = await pair.migrate(machine);
    expect(report).toMatchObject({ outcome: 'handed-over', attempts: 2 });
    expectMoved(pair, machine);
    const whole = await bytesOfMigration(mixedMachine(4000));
    // One frame was cut off.
    expect(sent).toBeLessThan(whole + 1.1e6);
  });

  it.each(['pause', 'first'] as const)(
    'names and sends again a page whose write was never noted (lost at %s)',
    async (when) => {
      const pair = await Pair.create();
      const machine = mixedMachine();
      const pause = machine.pause.bind(machine);
      if (when === 'pause')
        machine.pause = async () => {
          machine.writeUnnoticed(777, 5, 99);
          await pause();
        };
      else machine.onTakeDirty = () => machine.writeUnnoticed(778, machine.ticks, 99);
      const report = await pair.migrate(machine);
      expectMoved(pair, machine);
      if (when === 'pause') expect(report.proof).toMatchObject({ lostPages: 1, lost: ['RAM page at 0x309000'] });
    },
  );

  it('names and sends again a page that has changed at the target', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine();
    let spoilt = false;
    pair.tap = (from, name) => {
      if (from === 'source' && name === 'barrier' && !spoilt && pair.host.machine && machine.isRunning === false) {
        pair.host.machine.memory[123 * 4096] ^= 1;
        spoilt = true;
      }
      return 'pass';
    };
    const report = await pair.migrate(machine, { proof: 'full' });
    expect(spoilt).toBe(true);
    expect(report).toMatchObject({ outcome: 'handed-over', proof: { lostPages: 1, lost: ['RAM page at 0x7b000'] } });
    expectMoved(pair, machine);
  });

  it('stops when the target cannot hold a page as it is', async () => {
    const pair = await Pair.create();
    pair.host.onCreate = (target) => {
      const write = target.writePages.bind(target);
      target.writePages = (pages, count, bytes, at) => {
        write(pages, count, bytes, at);
        if (pages.subarray(0, count).includes(1232)) target.memory[1232 * 4096]++;
      };
    };
    const machine = mixedMachine();
    const report = await pair.migrate(machine);
    expect(report).toMatchObject({ outcome: 'kept', because: expect.stringContaining('RAM page at 0x4d0000') });
    expect(machine).toMatchObject({ isRunning: true, isReleased: false });
    expect(pair.host.machine?.isRunning).toBe(false);
  });

  it('proves large memories in the last rounds, and finds lost writes there, too', async () => {
    const pair = await Pair.create();
    const machine = withWorkload(mixedMachine(), 3);
    const takeDirty = machine.takeDirty.bind(machine);
    let calls = 0;
    machine.takeDirty = async (into) => {
      if (++calls === 3) machine.writeUnnoticed(777, 5, 99);
      await takeDirty(into);
    };
    const report = await pair.migrate(machine, { proof: 'audited' });
    expect(report).toMatchObject({ outcome: 'handed-over', proof: { mode: 'audited' } });
    expectMoved(pair, machine);
  });

  it('can be cancelled: the machine runs on, and a second migration loses nothing', async () => {
    const machine = withWorkload(mixedMachine());
    const first = await Pair.create();
    const abort = new AbortController();
    first.tap = (_from, name) => {
      if (name === 'arrived') abort.abort();
      return 'pass';
    };
    expect(await first.migrate(machine, { signal: abort.signal })).toMatchObject({ outcome: 'kept' });
    expect(machine.isRunning).toBe(true);
    expect(first.host.machine).toMatchObject({ isRunning: false });
    for (let page = 0; page < 100; page++) machine.write(page, 9, 9);
    const second = await Pair.create();
    expect(await second.migrate(machine)).toMatchObject({ outcome: 'handed-over' });
    expectMoved(second, machine);
  });

  it('brings a paused machine paused, with no turn for it on either side', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine();
    Object.assign(machine, { isPaused: true, isRunning: false });
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'handed-over', paused: true });
    await pair.receiver.arrived;
    expect(pair.host.machine).toMatchObject({ isRunning: false, isDiscarded: false });
    expect(pair.targetEvents.map(({ event }) => event)).toContain('arrived-paused');
    expect(pair.targetLog.written).toEqual(['receiving', 'ready', 'started']);
  });

  it('leaves a paused machine paused when it stays', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine();
    Object.assign(machine, { isPaused: true, isRunning: false });
    pair.tap = (from, name) => (from === 'target' && name === 'ready' ? encodeFrame('running', {}) : 'pass');
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'kept', paused: true });
    expect(machine).toMatchObject({ isRunning: false, isReleased: false });
  });

  it('starts from an older state at the target', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine();
    pair.host.onCreate = (target) => {
      target.memory.set(machine.memory);
      target.isSeeded = true;
      for (let page = 0; page < 50; page++) target.memory[page * 4096 + 7] ^= 255;
    };
    const report = await pair.migrate(machine);
    expectMoved(pair, machine);
    expect(report.pages).toBe(50);
  });
});

describe('after a cut', () => {
  // Small, so that there are few frames.
  const small = () => withWorkload(mixedMachine(600), 5);

  it('when the link is cut for good after any frame, exactly one side runs, or can be told to', async () => {
    const frames = await countFrames(small());
    for (let at = 1; at <= frames; at++) {
      const pair = await Pair.create({ keepMs: 30 });
      const machine = small();
      const abort = new AbortController();
      pair.tap = cutAt(at, () => true);
      const stop = after(150, () => abort.abort());
      const report = await pair
        .migrate(machine, { resumeWithinMs: 20, signal: abort.signal })
        .catch((error: Error) => ({ outcome: 'kept', because: error.message }));
      stopTimer(stop);
      const isThere = pair.host.machine?.isRunning === true;
      expect(machine.isRunning && isThere, `cut at ${at}: both run`).toBe(false);
      const source = (await pair.sourceLog.read()) as SourceDecision;
      const target = (pair.targetLog.written.at(-1) ?? 'receiving') as TargetDecision;
      const { survivor } = resolve({ decision: source, alive: true }, { decision: target, alive: true });
      expect(survivor, `cut at ${at}: ${source} and ${target}`).not.toBe('undecided');
      if (machine.isRunning) expect(survivor).toBe('source');
      else if (isThere) expect(survivor).toBe('target');
      else expect(report.outcome).toBe('undecided');
    }
  });
});

function cutAt(at: number, isOn: () => boolean): () => Fate {
  let seen = 0;
  return () => (isOn() && ++seen >= at ? 'cut-after' : 'pass');
}

async function countFrames(machine: PlainMachine): Promise<number> {
  const pair = await Pair.create();
  let frames = 0;
  pair.tap = () => {
    frames++;
    return 'pass';
  };
  await pair.migrate(machine);
  return frames;
}

async function bytesOfMigration(machine: PlainMachine): Promise<number> {
  const pair = await Pair.create();
  const { rounds } = await pair.migrate(machine);
  return rounds.reduce((sum, { bytes }) => sum + bytes, 0);
}
