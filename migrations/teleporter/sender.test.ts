import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EnvironmentError, type SavkitError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { CANCEL_MARKER, END_MARKER, SECRET_LINE, unframe } from '../testing/frames.ts';
import { type Line, scriptedPeer } from '../testing/scripted-peer.ts';
import { type SendOptions, sendMachine } from './sender.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));
const end = END_MARKER.toString('latin1');
const cancelMarker = CANCEL_MARKER.toString('latin1');
const ack: Line = { say: 'ACK\n' };

const welcome: Line[] = [{ say: 'VirtualBox-Teleporter-1.0\n' }, { hear: `${SECRET_LINE}\n` }];
const load: Line[] = [...welcome, ack, { hear: 'load\n' }];
const stream: Line[] = [...load, ack, { hear: end }];
const lock: Line[] = [...stream, ack, { hear: 'lock-media\n' }];
const handOver: Line[] = [...lock, ack, { hear: 'hand-over-resume\n' }];

interface Outcome {
  error?: SavkitError;
  heard: Buffer;
}

/** Sends to a scripted target. */
async function sendTo(script: Line[], options: Partial<SendOptions> = {}): Promise<Outcome> {
  const { peer, heard } = scriptedPeer(script, options.signal);
  let error: SavkitError | undefined;
  try {
    await sendMachine(peer, {
      password: SECRET_LINE,
      stream: (sink) => sink.write(state),
      paused: () => false,
      ...options,
    });
  } catch (caught) {
    error = caught as SavkitError;
  }
  await peer.close();
  return { heard: await heard, ...(error ? { error } : {}) };
}

describe('sendMachine()', () => {
  it('says what the vectors say, byte for byte', async () => {
    const { heard, error } = await sendTo([...handOver, ack, { close: true }]);
    expect(error).toBeUndefined();
    const lines = `${SECRET_LINE}\nload\n`;
    expect(heard.subarray(0, lines.length).toString()).toBe(lines);
    expect(unframe(heard.subarray(lines.length)).equals(state)).toBe(true);
    const tail = Buffer.concat([END_MARKER, Buffer.from('lock-media\nhand-over-resume\n')]);
    expect(heard.subarray(-tail.length).equals(tail)).toBe(true);
  });

  it('asks for a paused machine', async () => {
    const { heard, error } = await sendTo([...lock, ack, { hear: 'hand-over-paused\n' }, ack], { paused: () => true });
    expect(error).toBeUndefined();
    expect(heard.toString('latin1').endsWith('lock-media\nhand-over-paused\n')).toBe(true);
  });
});

const words = 'pgm#1: Ram config mismatch: saved=2000000/20000000 config=1000000/20000000 (RAM/Hole) [ver=14 pass=#0]';
/** [what happens, the target's script, the code of the error, the words that the user must see] */
const failures: [string, Line[], string, string | RegExp][] = [
  ['it closes at once', [{ close: true }], 'connection-lost', 'stays here'],
  [
    'it welcomes with another version',
    [{ say: 'VirtualBox-Teleporter-2.0\n' }],
    'bad-welcome',
    Buffer.from('VirtualBox-Teleporter-2.0').toString('hex'),
  ],
  [
    'it is a web server',
    [{ say: 'HTTP/1.1 400 Bad Request\r\n\r\n' }, { close: true }],
    'bad-welcome',
    'no teleporter',
  ],
  ['it never ends its welcome', [{ say: 'x'.repeat(300) }], 'bad-welcome', 'no teleporter'],
  ['it refuses the password', [...welcome, { say: 'NACK=-89\n' }, { close: true }], 'wrong-password', 'password'],
  ['it closes after the password', [...welcome, { close: true }], 'connection-lost', 'password'],
  [
    'it answers nonsense to the password',
    [...welcome, { say: 'OK\n' }],
    'bad-answer',
    '"OK" to password, expected ACK or NACK',
  ],
  [
    'it refuses load',
    [...load, { say: 'NACK=-257;out of memory\n' }, { close: true }],
    'refused-by-target',
    'at load: out of memory',
  ],
  ['it closes after load', [...load, { close: true }], 'connection-lost', 'load'],
  [
    'it refuses during the stream',
    [...load, ack, { say: `NACK=-1844;${words}\n` }, { close: true }],
    'refused-by-target',
    words,
  ],
  [
    'it refuses in two lines',
    [...load, ack, { say: 'NACK=-257;first line\rsecond line\n' }, { close: true }],
    'refused-by-target',
    'first line\nsecond line',
  ],
  [
    'its words are cut off',
    [...load, ack, { say: `NACK=-257;${'w'.repeat(245)}` }, { close: true }],
    'refused-by-target',
    'w'.repeat(245),
  ],
  [
    'it says too little',
    [...stream, { say: 'NACK=-1858;abc\n' }, { close: true }],
    'refused-by-target',
    /refused at load-complete; the machine stays here$/,
  ],
  [
    'it refuses the whole stream',
    [...stream, { say: 'NACK=-1871;Failed to load unit\n' }, { close: true }],
    'refused-by-target',
    'Failed to load unit',
  ],
  ['it answers with 0', [...stream, { say: 'NACK=0\n' }, { close: true }], 'refused-by-target', 'load-complete'],
  ['it closes instead of taking the stream', [...stream, { close: true }], 'connection-lost', 'load-complete'],
  ['it cannot lock its media', [...lock, { say: 'NACK=-115\n' }, { close: true }], 'refused-by-target', 'lock-media'],
  ['it closes after lock-media', [...lock, { close: true }], 'connection-lost', 'lock-media'],
  ['it refuses the hand-over', [...handOver, { say: 'NACK=-22\n' }, { close: true }], 'refused-by-target', 'hand-over'],
  ['it closes after the hand-over', [...handOver, { close: true }], 'hand-over-unknown', 'Look there before'],
  ['it vanishes after the hand-over', [...handOver, { cut: true }], 'hand-over-unknown', 'Look there before'],
  [
    'it answers nonsense to the hand-over',
    [...handOver, { say: 'maybe\n' }, { close: true }],
    'hand-over-unknown',
    'Cannot tell whether',
  ],
];

describe('sendMachine(), when', () => {
  for (const [what, script, code, text] of failures) {
    it(`${what}: the user reads why, and where the machine is`, async () => {
      const { error } = await sendTo(script);
      expect(error?.code).toBe(code);
      if (typeof text === 'string') expect(error?.message).toContain(text);
      else expect(error?.message).toMatch(text);
      if (code !== 'hand-over-unknown' && code !== 'bad-welcome' && code !== 'bad-answer')
        expect(error?.message).toContain('the machine stays here');
      expect(error?.message).not.toContain(SECRET_LINE);
    });
  }

  it('gives VirtualBox’s name for a status, and tells a misfit from other trouble', async () => {
    const misfit = await sendTo([...load, ack, { say: `NACK=-1844;${words}\n` }, { close: true }]);
    expect(misfit.error).toMatchObject({ name: 'UnsupportedError', vboxCode: 'VERR_SSM_LOAD_CONFIG_MISMATCH' });
    const trouble = await sendTo([...lock, { say: 'NACK=-115\n' }, { close: true }]);
    expect(trouble.error).toMatchObject({ name: 'EnvironmentError', vboxCode: 'VERR_FILE_LOCK_FAILED' });
    const unknown = await sendTo([...load, { say: 'NACK=-4711\n' }, { close: true }]);
    expect(unknown.error?.vboxCode).toBe('status -4711');
  });

  it('the stream cannot be read: sends the cancel marker, and reports the reason', async () => {
    const failing = async (sink: ByteSink) => {
      await sink.write(state.subarray(0, 100_000));
      throw new EnvironmentError('EIO', 'Cannot read the disk');
    };
    const { error, heard } = await sendTo(
      [...load, ack, { hear: cancelMarker }, { say: 'NACK=-1858;canceled\n' }, { close: true }],
      { stream: failing },
    );
    expect(error?.code).toBe('EIO');
    expect(heard.subarray(-8).equals(CANCEL_MARKER)).toBe(true);
  });
});

describe('sendMachine(), interrupted', () => {
  /** Aborts when a step begins. */
  async function interruptAt(at: string, script: Line[]): Promise<Outcome> {
    const abort = new AbortController();
    const onStep: SendOptions['onStep'] = (step) => {
      if (step === at) abort.abort();
    };
    return sendTo(script, { signal: abort.signal, onStep });
  }

  it('during the stream: sends the cancel marker between two frames', async () => {
    const { error, heard } = await interruptAt('stream', [
      ...load,
      ack,
      { hear: cancelMarker },
      { say: 'NACK=-1858\n' },
      { close: true },
    ]);
    expect(error?.code).toBe('interrupted');
    expect(heard.subarray(-8).equals(CANCEL_MARKER)).toBe(true);
  });

  it('before the password, load, lock-media: does not go on', async () => {
    for (const [step, script] of [
      ['password', welcome],
      ['load', load],
    ] as const) {
      const { error, heard } = await interruptAt(step, [...script]);
      expect(error?.code).toBe('interrupted');
      expect(heard.includes('lock-media')).toBe(false);
    }
  });

  it('after the stream: sends cancel in place of lock-media', async () => {
    const { error, heard } = await interruptAt('load-complete', [...stream, { hear: 'cancel\n' }, { close: true }]);
    expect(error?.code).toBe('interrupted');
    expect(heard.toString('latin1').endsWith(`${end}cancel\n`)).toBe(true);
  });

  it('after lock-media: sends cancel in place of the hand-over', async () => {
    const { error, heard } = await interruptAt('lock-media', [
      ...lock,
      { pause: 20 },
      ack,
      { hear: 'cancel\n' },
      { close: true },
    ]);
    expect(error?.code).toBe('interrupted');
    expect(heard.toString('latin1').endsWith('lock-media\ncancel\n')).toBe(true);
  });

  it('in the hand-over: waits for its answer, for that decides where the machine runs', async () => {
    const { error } = await interruptAt('hand-over', [...handOver, { pause: 30 }, ack]);
    expect(error).toBeUndefined();
  });
});
