import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../formats/errors.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { CANCEL_MARKER, END_MARKER, framesOf, SECRET_LINE, unframe } from '../testing/frames.ts';
import { follow, type Line } from '../testing/scripted-peer.ts';
import { connectPeer } from './connect.ts';
import { Door } from './door.ts';
import { Peer } from './peer.ts';
import { type RelayOptions, type RelayReport, relayMachine } from './relay.ts';
import { relayKey } from './relay-key.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));
const whole = Buffer.concat([...framesOf(state, 61553), END_MARKER]);
const ack: Line = { say: 'ACK\n' };

const source = {
  in: [
    { hear: 'VirtualBox-Teleporter-1.0\n' },
    { say: `${SECRET_LINE}\n` },
    { hear: 'ACK\n' },
    { say: 'load\n' },
    { hear: 'ACK\n' },
  ] as Line[],
  out: [
    { hear: 'ACK\n' },
    { say: 'lock-media\n' },
    { hear: 'ACK\n' },
    { say: 'hand-over-resume\n' },
    { hear: 'ACK\n' },
    { close: true },
  ] as Line[],
};
const target = {
  in: [{ say: 'VirtualBox-Teleporter-1.0\n' }, { hear: `${SECRET_LINE}\n` }, ack, { hear: 'load\n' }, ack] as Line[],
  out: [
    { hear: END_MARKER.toString('latin1') },
    ack,
    { hear: 'lock-media\n' },
    ack,
    { hear: 'hand-over-resume\n' },
    ack,
  ] as Line[],
};

interface Carried {
  report: RelayReport;
  /** The bytes that the target got, and those that the source got. */
  atTarget: Buffer;
  atSource: Buffer;
}

/** Puts a relay between a scripted source and a scripted target. */
async function relayBetween(
  sourceScript: Line[],
  targetScript: Line[],
  options: RelayOptions = {},
  signal?: AbortSignal,
): Promise<Carried> {
  const end = (script: Line[], own?: AbortSignal) => {
    const [ours, theirs] = duplexPair();
    theirs.on('close', () => ours.destroy(theirs.readableEnded ? undefined : new Error('connection reset')));
    return { peer: new Peer(ours, 'peer', own), heard: follow(theirs, script) };
  };
  const left = end(sourceScript, signal);
  const right = end(targetScript);
  const report = await relayMachine(left.peer, right.peer, options);
  return { report, atSource: await left.heard, atTarget: await right.heard };
}

describe('relayMachine()', () => {
  it('carries every byte of a migration, and sees every byte', async () => {
    const record = new MemorySink();
    const { report, atTarget, atSource } = await relayBetween(
      [...source.in, { say: whole }, ...source.out],
      [...target.in, ...target.out],
      { record },
    );
    expect(report).toMatchObject({ end: 'handed-over', authenticated: true, recorded: true });
    expect(report.figures.bytes).toBe(state.length);
    expect(Buffer.from(record.view()).equals(state)).toBe(true);
    const head = `${SECRET_LINE}\nload\n`;
    expect(atTarget.subarray(0, head.length).toString()).toBe(head);
    expect(unframe(atTarget.subarray(head.length)).equals(state)).toBe(true);
    expect(atTarget.toString('latin1').endsWith('lock-media\nhand-over-resume\n')).toBe(true);
    expect(atSource.toString()).toBe(`VirtualBox-Teleporter-1.0\n${'ACK\n'.repeat(5)}`);
  });

  it('passes a refused password on; the connection was no migration', async () => {
    const { report, atSource } = await relayBetween(
      [{ say: 'wrong\n' }, { hear: 'NACK=-89\n' }, { close: true }],
      [{ say: 'VirtualBox-Teleporter-1.0\n' }, { hear: 'wrong\n' }, { say: 'NACK=-89\n' }, { close: true }],
    );
    expect(report).toMatchObject({ end: 'refused', authenticated: false, refusal: { at: 'password', status: -89 } });
    expect(atSource.toString()).toContain('NACK=-89\n');
  });

  it('carries and records nothing of a source before its password is accepted', async () => {
    const record = new MemorySink();
    const { report, atTarget } = await relayBetween(
      [{ hear: 'VirtualBox-Teleporter-1.0\n' }, { say: 'wrong\nload\n' }, { say: whole }],
      [{ say: 'VirtualBox-Teleporter-1.0\n' }, { hear: 'wrong\n' }, { pause: 50 }, { say: 'NACK=-89\n' }],
      { record },
    );
    expect(report).toMatchObject({ authenticated: false, recorded: false });
    expect(atTarget.toString()).toBe('wrong\n');
    expect(record.view()).toHaveLength(0);
  });

  it('carries one stream: a record holds no second one', async () => {
    const { report } = await relayBetween(
      [...source.in, { say: whole }, { hear: 'ACK\n' }, { say: 'load\n' }, { say: whole }],
      [...target.in, ...target.out.slice(0, 2), { hear: 'load\n' }, ack],
      { record: new MemorySink() },
    );
    expect(report).toMatchObject({ end: 'cut', authenticated: true, recorded: false });
  });

  it('carries few commands whose answers the source does not wait for', async () => {
    const many = 'lock-media\n'.repeat(1000);
    const { report, atTarget } = await relayBetween(
      [...source.in.slice(0, -2), { say: many }],
      [...target.in.slice(0, -2), { pause: 100 }],
    );
    expect(report).toMatchObject({ end: 'cut', authenticated: true });
    expect(atTarget.toString().match(/lock-media/g)).toHaveLength(16);
  });

  it('passes a refusal during the stream on, with its words', async () => {
    const words = 'NACK=-1844;Ram config mismatch\n';
    const script = [...source.in, { say: framesOf(state, 61553)[0] }, { hear: words }, { close: true }] as Line[];
    const { report, atSource } = await relayBetween(script, [...target.in, { say: words }, { close: true }], {
      record: new MemorySink(),
    });
    expect(report).toMatchObject({
      end: 'refused',
      recorded: false,
      refusal: { at: 'load-complete', status: -1844, text: 'Ram config mismatch' },
    });
    expect(atSource.toString()).toContain(words);
  });

  it('passes a text that was cut off on at once', async () => {
    const words = `NACK=-257;${'w'.repeat(245)}`;
    const { report, atSource } = await relayBetween(
      [...source.in, { say: END_MARKER }, { hear: words }, { close: true }],
      [...target.in, { hear: END_MARKER.toString('latin1') }, { say: words }],
    );
    expect(report.refusal?.text).toBe('w'.repeat(245));
    expect(atSource.toString()).toContain(words);
  });

  it('passes cancelling on, as a frame and as a command', async () => {
    const refusal = 'NACK=-1858;cancelled\n';
    const frame = await relayBetween(
      [
        ...source.in,
        { say: Buffer.concat([framesOf(state, 61553)[0], CANCEL_MARKER]) },
        { hear: refusal },
        { close: true },
      ],
      [...target.in, { hear: CANCEL_MARKER.toString('latin1') }, { say: refusal }, { close: true }],
    );
    expect(frame.report).toMatchObject({ end: 'cancelled', recorded: false });
    expect(frame.atSource.toString()).toContain(refusal);
    const command = await relayBetween(
      [...source.in, { say: whole }, { hear: 'ACK\n' }, { say: 'cancel\n' }, { close: true }],
      [...target.in, ...target.out.slice(0, 2), { hear: 'cancel\n' }, { close: true }],
    );
    expect(command.report.end).toBe('cancelled');
  });

  it('leaves a broken frame to the target’s judgement', async () => {
    const broken = Buffer.from('00112233aabbccdd', 'hex');
    const refusal = 'NACK=-257;bad frame\n';
    const { report, atSource, atTarget } = await relayBetween(
      [...source.in, { say: broken }, { hear: refusal }, { close: true }],
      [...target.in, { hear: broken.toString('latin1') }, { say: refusal }, { close: true }],
      { record: new MemorySink() },
    );
    expect(atTarget.subarray(-8).equals(broken)).toBe(true);
    expect(atSource.toString()).toContain(refusal);
    expect(report).toMatchObject({ end: 'refused', recorded: false });
  });

  it('leaves a damaged state to the target’s judgement, and records none', async () => {
    const damaged = Buffer.from(state);
    damaged[60_000] ^= 4;
    const record = new MemorySink();
    const stream = Buffer.concat([...framesOf(damaged, 61553), END_MARKER]);
    const { report, atTarget } = await relayBetween(
      [...source.in, { say: stream }, ...source.out],
      [...target.in, ...target.out],
      { record },
    );
    expect(report).toMatchObject({ end: 'handed-over', recorded: false });
    expect(report.recordFault?.vboxCode).toMatch(/^VERR_SSM/);
    expect(unframe(atTarget.subarray(`${SECRET_LINE}\nload\n`.length)).equals(damaged)).toBe(true);
  });

  it('carries the migration on when the recording fails', async () => {
    const record = { write: () => Promise.reject(new EnvironmentError('ENOSPC', 'Cannot write: no space')) };
    const { report } = await relayBetween(
      [...source.in, { say: whole }, ...source.out],
      [...target.in, ...target.out],
      { record },
    );
    expect(report).toMatchObject({ end: 'handed-over', recorded: false, recordFault: { code: 'ENOSPC' } });
  });

  it('breaks with the link, after any frame', async () => {
    const frames = framesOf(state, 61553);
    for (let count = 0; count <= frames.length; count++) {
      const script = [
        ...source.in,
        { say: Buffer.concat(frames.slice(0, count)) },
        { pause: 5 },
        { cut: true },
      ] as Line[];
      const { report } = await relayBetween(script, [...target.in], { record: new MemorySink() });
      expect(report).toMatchObject({ end: 'cut', recorded: false });
    }
  });

  it('knows of a hand-over whose answer the source never heard', async () => {
    const script = [
      ...source.in,
      { say: whole },
      ...source.out.slice(0, 3),
      { say: 'hand-over-resume\n' },
      { pause: 10 },
      { cut: true },
    ] as Line[];
    const slow = [...target.in, ...target.out.slice(0, 5), { pause: 40 }, ack] as Line[];
    expect((await relayBetween(script, slow)).report.end).toBe('handed-over');
  });

  it('can be interrupted, but not between a hand-over and its answer', async () => {
    const early = new AbortController();
    setTimeout(() => early.abort(), 30);
    await expect(
      relayBetween([...source.in, { say: framesOf(state, 61553)[0] }], target.in, {}, early.signal),
    ).rejects.toMatchObject({ code: 'interrupted' });
    const late = new AbortController();
    const onStep = (step: string) => {
      if (step === 'hand-over-resume') late.abort();
    };
    const slow = [...target.in, ...target.out.slice(0, 5), { pause: 40 }, ack] as Line[];
    const { report, atSource } = await relayBetween(
      [...source.in, { say: whole }, ...source.out],
      slow,
      { onStep },
      late.signal,
    );
    expect(report.end).toBe('handed-over');
    expect(atSource.toString().endsWith('ACK\n'.repeat(5))).toBe(true);
  });
});

describe('the encrypted hop', () => {
  const key = relayKey(Buffer.from('0123456789abcdef0123456789abcdef\n'));
  const local = { host: '127.0.0.1', port: 0 };

  it('connects relays with the same key', async () => {
    const door = await Door.open(local, { key });
    const client = await connectPeer(door.endpoint, { key });
    const server = await door.next(Number.POSITIVE_INFINITY, undefined);
    await client.write(Buffer.from('hello\n'));
    expect((await server.line(100))?.text).toBe('hello');
    await Promise.all([client.close(), server.close()]);
    door.close();
  });

  it('refuses other keys, plain connections, and servers that do not speak TLS', async () => {
    const refused: string[] = [];
    const door = await Door.open(local, { key, onRefused: (_from, why) => refused.push(why) });
    await expect(
      connectPeer(door.endpoint, { key: relayKey(Buffer.from('another key, just as long')) }),
    ).rejects.toMatchObject({ code: 'wrong-key' });
    const plain = await connectPeer(door.endpoint);
    await plain.write(Buffer.from('VirtualBox-Teleporter-1.0\n'));
    expect(await plain.line(100)).toBeUndefined();
    expect(refused).toEqual(['it does not know the key', 'it does not know the key']);
    door.close();
    const open = await Door.open(local);
    const connecting = connectPeer(open.endpoint, { key });
    const server = await open.next(Number.POSITIVE_INFINITY, undefined);
    await server.write(Buffer.from('VirtualBox-Teleporter-1.0\n'));
    await expect(connecting).rejects.toMatchObject({ code: 'wrong-key' });
    server.destroy();
    open.close();
  });

  it('wants a key that cannot be guessed', () => {
    expect(() => relayKey(Buffer.from('short\n'))).toThrow('expected at least 16');
    expect(relayKey(Buffer.from('0123456789abcdef\n'))).toEqual(relayKey(Buffer.from('0123456789abcdef')));
  });
});
