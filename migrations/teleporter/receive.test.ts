import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvironmentError, type SavkitError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { CANCEL_MARKER, END_MARKER, framesOf } from '../testing/frames.ts';
import { type Line, scriptedPeer } from '../testing/scripted-peer.ts';
import { DECLINED, type Ending, flattenInPlace, type ReceiveReport, receiveState } from './receive.ts';

const live = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));
const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const frames = framesOf(live, 61553);
const whole = Buffer.concat([...frames, END_MARKER]);
const ACK = 'ACK\n';

let folder: string;
let output: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-receive-'));
  output = join(folder, 'vm.sav');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  report?: ReceiveReport;
  error?: SavkitError;
  /** The answers to the source. */
  told: string;
  /** Files in the output's folder: the state, or what was left half-written. */
  files: string[];
}

/** Lets a scripted source, already authenticated, send to a file. */
async function receiveFrom(script: Line[], ending: Ending, signal?: AbortSignal): Promise<Outcome> {
  const { peer, heard } = scriptedPeer(script, signal);
  const sink = await openFileSink(output);
  const outcome: Omit<Outcome, 'told' | 'files'> = {};
  try {
    outcome.report = await receiveState(peer, sink, { ending, signal });
  } catch (error) {
    await sink.abort();
    outcome.error = error as SavkitError;
  }
  await peer.close();
  return { ...outcome, told: (await heard).toString(), files: readdirSync(folder) };
}

const load: Line[] = [{ say: 'load\n' }, { hear: ACK }];
const stream: Line[] = [...load, { say: whole }, { hear: ACK }];
const lock: Line[] = [{ say: 'lock-media\n' }, { hear: ACK }];

describe('receiveState() with hand-over', () => {
  it('takes a machine: every answer an ACK, the file what the source sent, readable by its owner only', async () => {
    const { report, told, files } = await receiveFrom(
      [...stream, ...lock, { say: 'hand-over-resume\n' }, { hear: ACK }, { close: true }],
      'hand-over',
    );
    expect(report).toMatchObject({ end: 'handed-over', paused: false });
    expect(told).toBe(ACK.repeat(4));
    expect(files).toEqual(['vm.sav']);
    expect(readFileSync(output).equals(live)).toBe(true);
    expect(statSync(output).mode & 0o777).toBe(0o600);
  });

  it('notes that the machine was paused', async () => {
    const { report } = await receiveFrom(
      [...stream, ...lock, { say: 'hand-over-paused\n' }, { hear: ACK }, { close: true }],
      'hand-over',
    );
    expect(report).toMatchObject({ end: 'handed-over', paused: true });
  });

  it('takes frames of any size', async () => {
    const small = Buffer.concat([...framesOf(live, 999), END_MARKER]);
    const { report } = await receiveFrom(
      [...load, { say: small }, { hear: ACK }, ...lock, { say: 'hand-over-resume\n' }, { hear: ACK }],
      'hand-over',
    );
    expect(report?.end).toBe('handed-over');
    expect(readFileSync(output).equals(live)).toBe(true);
  });

  it('has the file before it says so', async () => {
    let there = false;
    const { peer, heard } = scriptedPeer([...stream, ...lock, { say: 'hand-over-resume\n' }]);
    const sink = await openFileSink(output);
    const commit = sink.commit.bind(sink);
    sink.commit = async () => {
      await commit();
      there = readdirSync(folder).includes('vm.sav');
    };
    const write = peer.write.bind(peer);
    let answers = 0;
    peer.write = async (...parts) => {
      if (++answers === 4) expect(there).toBe(true);
      return write(...parts);
    };
    await receiveState(peer, sink, { ending: 'hand-over' });
    await peer.close();
    expect((await heard).toString()).toBe(ACK.repeat(4));
  });

  it('keeps the machine when the source does not hear the last answer: it will not start it again', async () => {
    const { peer } = scriptedPeer([...stream, ...lock, { say: 'hand-over-resume\n' }]);
    const write = peer.write.bind(peer);
    let answers = 0;
    peer.write = (...parts) =>
      ++answers === 4 ? Promise.reject(new EnvironmentError('connection-lost', 'Cannot write')) : write(...parts);
    const report = await receiveState(peer, await openFileSink(output), { ending: 'hand-over' });
    peer.destroy();
    expect(report.end).toBe('handed-over');
    expect(readdirSync(folder)).toEqual(['vm.sav']);
  });

  it('refuses the hand-over when the file cannot be written, and leaves nothing', async () => {
    const { peer, heard } = scriptedPeer([
      ...stream,
      ...lock,
      { say: 'hand-over-resume\n' },
      { hear: 'NACK' },
      { close: true },
    ]);
    const sink = await openFileSink(output);
    const other = await openFileSink(output);
    await other.commit();
    await expect(receiveState(peer, sink, { ending: 'hand-over' })).rejects.toMatchObject({ code: 'EEXIST' });
    await sink.abort();
    await peer.close();
    expect((await heard).toString()).toMatch(/^ACK\nACK\nACK\nNACK=-257;Cannot write .*exists already\n$/);
    expect(statSync(output).size).toBe(0);
  });
});

describe('receiveState() with decline', () => {
  it('keeps a complete copy and refuses the machine where the source resumes it: in place of the second ACK of load', async () => {
    const { report, told, files } = await receiveFrom(
      [...load, { say: whole }, { hear: 'NACK=-1858;' }, { close: true }],
      'decline',
    );
    expect(report?.end).toBe('declined');
    expect(told).toBe(`${ACK}NACK=-1858;${DECLINED}\n`);
    expect(told.length - ACK.length).toBeLessThanOrEqual(255);
    expect(files).toEqual(['vm.sav']);
    expect(readFileSync(output).equals(live)).toBe(true);
  });

  it('counts passes and pages', async () => {
    const { report } = await receiveFrom([...load, { say: whole }, { hear: 'NACK' }, { close: true }], 'decline');
    const { passes, bytes } = report?.figures ?? { passes: [], bytes: 0 };
    expect(bytes).toBe(live.length);
    expect(passes.map(({ pass }) => pass)).toEqual([...passes.slice(0, -1).keys(), 'final']);
    const truth = JSON.parse(readFileSync(join(STATES_FOLDER, 'own-long-live.json'), 'utf8')).pgm.records as Record<
      string,
      number
    >;
    expect(passes.reduce((sum, { pages }) => sum + pages, 0)).toBe(
      Object.values(truth).reduce((sum, count) => sum + count, 0),
    );
    expect(passes.at(-1)?.dirtiedPages).toBeGreaterThan(0);
  });

  it('takes a plain state as well', async () => {
    const { report } = await receiveFrom(
      [...load, { say: Buffer.concat([...framesOf(plain, 5000), END_MARKER]) }, { hear: 'NACK' }, { close: true }],
      'decline',
    );
    expect(report?.state.header.live).toBe(false);
    expect(readFileSync(output).equals(plain)).toBe(true);
  });
});

/** [what the source says once it has got in, what it is told, the code of our error] */
const refusals: [string, Line[], string | RegExp, string][] = [
  ['an unknown command', [{ say: 'foo\n' }], 'NACK=-12\n', 'wrong-order'],
  ['unlock-media', [{ say: 'unlock-media\n' }], 'NACK=-12\n', 'wrong-order'],
  ['127 times z', [{ say: `${'z'.repeat(127)}\n` }], 'NACK=-12\n', 'wrong-order'],
  ['128 times z', [{ say: `${'z'.repeat(128)}\n` }], '', 'bad-command'],
  ['cancel', [{ say: 'cancel\n' }], '', 'cancelled-by-source'],
  ['nothing', [{ close: true }], '', 'connection-lost'],
  ['half a command', [{ say: 'loa' }, { close: true }], '', 'connection-lost'],
  ['a hand-over without lock', [{ say: 'hand-over-resume\n' }], 'NACK=-1858\n', 'wrong-order'],
  ['a paused hand-over without lock', [{ say: 'hand-over-paused\n' }], 'NACK=-1858\n', 'wrong-order'],
  ['lock-media without load', [{ say: 'lock-media\n' }], 'NACK=-22\n', 'wrong-order'],
  ['load twice', [...stream, { say: 'load\n' }], `${ACK}${ACK}NACK=-22\n`, 'wrong-order'],
  ['load after lock', [...stream, ...lock, { say: 'load\n' }], `${ACK.repeat(3)}NACK=-22\n`, 'wrong-order'],
  [
    'a hand-over after load without lock',
    [...stream, { say: 'hand-over-resume\n' }],
    `${ACK}${ACK}NACK=-1858\n`,
    'wrong-order',
  ],
  ['cancel after load', [...stream, { say: 'cancel\n' }], `${ACK}${ACK}`, 'cancelled-by-source'],
  ['cancel after lock', [...stream, ...lock, { say: 'cancel\n' }], ACK.repeat(3), 'cancelled-by-source'],
  ['nothing after load', [...stream, { close: true }], `${ACK}${ACK}`, 'connection-lost'],
  ['nothing after lock', [...stream, ...lock, { close: true }], ACK.repeat(3), 'connection-lost'],
  [
    'a frame with wrong magic',
    [...load, { say: Buffer.from('0612471901000000ff', 'hex') }],
    /^ACK\nNACK=-257;.*magic/,
    'bad-frame',
  ],
  [
    'a frame that is too long',
    [...load, { say: Buffer.from('05124719f9ffff00', 'hex') }],
    /^ACK\nNACK=-257;.*0xfffff9/,
    'bad-frame',
  ],
  [
    'a broken frame in the middle',
    [...load, { say: Buffer.concat([frames[0], Buffer.from('broken!!')]) }],
    /^ACK\nNACK=-257;/,
    'bad-frame',
  ],
  [
    'the cancel frame at once',
    [...load, { say: CANCEL_MARKER }],
    /^ACK\nNACK=-1858;.*cancelled/,
    'cancelled-by-source',
  ],
  [
    'the cancel frame after some data',
    [...load, { say: Buffer.concat([frames[0], CANCEL_MARKER]) }],
    /^ACK\nNACK=-1858;/,
    'cancelled-by-source',
  ],
  ['the end marker at once', [...load, { say: END_MARKER }], /^ACK\nNACK=-110;/, 'nothing-left'],
  [
    'half a stream and the end marker',
    [...load, { say: Buffer.concat([frames[0], END_MARKER]) }],
    /^ACK\nNACK=-110;/,
    'truncated',
  ],
  ['some data, then nothing', [...load, { say: frames[0] }, { close: true }], /^ACK\nNACK=-1871;/, 'connection-lost'],
  [
    'no saved state',
    [...load, { say: Buffer.concat([...framesOf(Buffer.alloc(5000, 'x'), 5000), END_MARKER]) }],
    /^ACK\nNACK=-1811;/,
    'not-a-saved-state',
  ],
  [
    'bytes after the footer',
    [...load, { say: Buffer.concat([...framesOf(Buffer.concat([live, Buffer.from('x')]), 1 << 20), END_MARKER]) }],
    /^ACK\nNACK=-1821;/,
    'trailing-bytes',
  ],
];

describe('receiveState(), when the source', () => {
  for (const [what, script, told, code] of refusals) {
    it(`sends ${what}: says so, and leaves nothing`, async () => {
      const outcome = await receiveFrom(script, 'hand-over');
      expect(outcome.error?.code).toBe(code);
      if (typeof told === 'string') expect(outcome.told).toBe(told);
      else expect(outcome.told).toMatch(told);
      expect(outcome.files).toEqual([]);
    });
  }

  it('sends a damaged stream: says VirtualBox’s code and where, before the stream has ended, and leaves nothing', async () => {
    const damaged = Buffer.from(live);
    damaged[60_000] ^= 4;
    // No end marker: a source finds the answer between two passes.
    const outcome = await receiveFrom(
      [...load, { say: Buffer.concat([...framesOf(damaged, 61553), END_MARKER]) }, { hear: 'NACK' }, { close: true }],
      'decline',
    );
    expect(outcome.told).toMatch(/^ACK\nNACK=-18\d\d;Cannot /);
    expect(outcome.error?.name).toBe('FormatError');
    expect(outcome.files).toEqual([]);
  });

  it('closes after any frame: fails, and leaves nothing', async () => {
    for (let count = 0; count <= frames.length; count++) {
      const outcome = await receiveFrom(
        [...load, { say: Buffer.concat(frames.slice(0, count)) }, { close: true }],
        'decline',
      );
      expect(outcome.error?.code).toBe('connection-lost');
      expect(outcome.files).toEqual([]);
    }
  });

  it('vanishes within a frame: fails, and leaves nothing', async () => {
    for (const at of [1, 7, 8, 9, 100, 61553 + 8 + 3, whole.length - 8, whole.length - 1]) {
      const outcome = await receiveFrom(
        [...load, { say: whole.subarray(0, at) }, { pause: 5 }, { cut: true }],
        'decline',
      );
      expect(outcome.error?.code).toBe('connection-lost');
      expect(outcome.files).toEqual([]);
    }
  });

  it('waits while the user interrupts: tells it, and leaves nothing', async () => {
    for (const script of [[], load, [...load, { say: frames[0] }], stream, [...stream, ...lock]] as Line[][]) {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 60);
      const outcome = await receiveFrom(
        [...script, { hear: 'NACK=-1858' }, { close: true }],
        'hand-over',
        abort.signal,
      );
      expect(outcome.error?.code).toBe('interrupted');
      expect(outcome.told).toMatch(/NACK=-1858;Teleporting canceled at the target\n$/);
      expect(outcome.files).toEqual([]);
    }
  });
});

describe('flattenInPlace()', () => {
  it('puts one plain state where the passes were', async () => {
    await receiveFrom([...load, { say: whole }, { hear: 'NACK' }, { close: true }], 'decline');
    const report = await flattenInPlace(output);
    expect(report).toMatchObject({ to: { live: false }, proof: { equal: true } });
    const source = await openFile(output);
    const { state, verdict } = await verify(source);
    await source.close();
    expect(verdict).toBe('whole');
    expect(state?.units.every(({ pass }) => pass === 'final')).toBe(true);
    expect(readdirSync(folder)).toEqual(['vm.sav']);
  });
});
