import { type Duplex, duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIB } from '../formats/sizes.ts';
import { after, every, stopTimer } from '../formats/world/waiting.ts';
import { useIdleTime } from './simulation/world/idle-time.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair, SHORT } from './testing/pair.ts';
import type { PlainMachine } from './testing/plain-machine.ts';
import { answerOf, targetAndPeer } from './testing/rude-peer.ts';
import type { FrameChannel } from './wire/frame-channel.ts';
import { AfterRound, FRAME_HEADER_SIZE, type FrameName } from './wire/frames.ts';
import { MAX_ROUNDS } from './wire/limits.ts';
import { PROTOCOL, VERSIONS } from './wire/messages.ts';
import { encodeFrame } from './wire/payload.ts';

useIdleTime();

const capabilities = { zstd: true, streams: 1, window: 1 << 20 };

/** A target that has accepted a machine of 100 pages, and its peer. */
async function receivingTarget(): Promise<{ pair: Pair; channel: FrameChannel; end: Duplex }> {
  const { pair, channel, end, nonce } = await targetAndPeer();
  await channel.send(
    'hello',
    {},
    { protocol: PROTOCOL, version: VERSIONS[0], nonce, migration: '00'.repeat(16), attempt: 1, capabilities },
  );
  await channel.send('describe', {}, { description: mixedMachine(100).description, rest: new Uint8Array(0) });
  expect((await channel.receive('accept')).name).toBe('accept');
  expect((await channel.receive('leaves')).name).toBe('leaves');
  return { pair, channel, end };
}

interface Entry {
  page: number;
  codec: number;
  length: number;
  hash?: bigint;
}

function pagesFrame(
  entries: Entry[],
  plain: Uint8Array,
  packed = new Uint8Array(0),
  changes: { round?: number; count?: number; plainSize?: number } = {},
): Uint8Array {
  const frame = Buffer.from(
    encodeFrame(
      'pages',
      { round: 0, count: 0, zero: 0, plainSize: 0, packedSize: 0 },
      Buffer.alloc(entries.length * 16 + plain.length + packed.length),
    ),
  );
  const at = FRAME_HEADER_SIZE;
  frame.writeUInt32LE(changes.round ?? 0, at);
  frame.writeUInt16LE(changes.count ?? entries.length, at + 4);
  frame.writeUInt32LE(changes.plainSize ?? plain.length, at + 8);
  frame.writeUInt32LE(packed.length, at + 12);
  for (const [i, { page, codec, length, hash = 1n }] of entries.entries()) {
    frame.writeUInt32LE(page, at + 16 + i * 16);
    frame.writeUInt16LE(codec, at + 20 + i * 16);
    frame.writeUInt16LE(length, at + 22 + i * 16);
    frame.writeBigUInt64LE(hash, at + 24 + i * 16);
  }
  frame.set(plain, at + 16 + entries.length * 16);
  frame.set(packed, at + 16 + entries.length * 16 + plain.length);
  return frame;
}

const page = new Uint8Array(4096).fill(7);
/** A zstd frame that claims to expand to 1 GiB. */
const bomb = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 1, 0, 0]);
const LIES: [string, string, Uint8Array][] = [
  [
    'a page that the machine does not have',
    'bad-page',
    pagesFrame([{ page: 100, codec: 0, length: 0 }], new Uint8Array(0)),
  ],
  ['a page number of 32 bits', 'bad-page', pagesFrame([{ page: 0xffffffff, codec: 1, length: 4096 }], page)],
  ['a wrong hash', 'bad-hash', pagesFrame([{ page: 3, codec: 1, length: 4096 }], page)],
  ['an unknown codec', 'bad-length', pagesFrame([{ page: 3, codec: 9, length: 0 }], new Uint8Array(0))],
  [
    'a raw page that is too short',
    'bad-length',
    pagesFrame([{ page: 3, codec: 1, length: 100 }], page.subarray(0, 100)),
  ],
  ['contents that are not there', 'bad-length', pagesFrame([{ page: 3, codec: 1, length: 4096 }], page.subarray(0, 8))],
  ['more contents than entries', 'bad-length', pagesFrame([{ page: 3, codec: 0, length: 0 }], page)],
  [
    'a plain area beyond the frame',
    'bad-length',
    pagesFrame([{ page: 3, codec: 1, length: 4096 }], page, undefined, { plainSize: 0xfffffff0 }),
  ],
  ['no entries', 'bad-count', pagesFrame([], new Uint8Array(0))],
  ['more entries than a frame may have', 'bad-count', pagesFrame([], page, undefined, { count: 65535 })],
  [
    'pages of another round',
    'wrong-round',
    pagesFrame([{ page: 3, codec: 0, length: 0 }], new Uint8Array(0), undefined, { round: 7 }),
  ],
  [
    'a copy of a page that is none',
    'bad-page',
    pagesFrame([{ page: 3, codec: 2, length: 4 }], Uint8Array.of(255, 255, 0, 0)),
  ],
  [
    'a delta that fits nothing',
    'bad-delta',
    pagesFrame([{ page: 3, codec: 3, length: 72 }], new Uint8Array(72).fill(255)),
  ],
  ['a zstd bomb', 'bad-zstd', pagesFrame([{ page: 3, codec: 4, length: 0 }], new Uint8Array(0), bomb)],
  ['zstd that is none', 'bad-zstd', pagesFrame([{ page: 3, codec: 4, length: 0 }], new Uint8Array(0), page)],
  ['a barrier for pages that did not come', 'lost-frame', encodeFrame('barrier', { round: 0, pages: 5, next: 0 })],
  ['a barrier of another round', 'wrong-round', encodeFrame('barrier', { round: 3, pages: 0, next: 0 })],
  ['a barrier with an unknown end', 'bad-barrier', encodeFrame('barrier', { round: 0, pages: 0, next: 200 })],
  ['the rest before its turn', 'unexpected', encodeFrame('rest', {}, page)],
  ['a seal before its turn', 'unexpected', encodeFrame('seal', { root: 0n, rest: 0n, paused: 0, count: 0 })],
  ['a commit that nobody is ready for', 'unexpected', encodeFrame('commit', {})],
  [
    'a second description',
    'unexpected',
    encodeFrame('describe', {}, { description: mixedMachine(100).description, rest: page }),
  ],
  ['a frame that only targets send', 'unexpected', encodeFrame('ready', {})],
  ['an unknown frame', 'unknown-frame', Uint8Array.from([0x73, 0x76, 0x6b, 0x4d, 99, 0, 0, 0, 0, 0, 0, 0])],
  ['a length of 4 GiB', 'frame-too-long', Uint8Array.from([0x73, 0x76, 0x6b, 0x4d, 6, 0, 0, 0, 255, 255, 255, 255])],
  ['bytes that are no frame', 'bad-message', new Uint8Array(64).fill(0x41)],
];

describe('a target', () => {
  it.each(LIES)('refuses %s', async (_, code, bytes) => {
    const { pair, channel, end } = await receivingTarget();
    end.write(bytes);
    expect(await answerOf(channel)).toContain(code);
    expect(pair.host.machine?.isRunning).toBe(false);
    expect(pair.targetLog.written).not.toContain('started');
    channel.destroy();
  });

  it('takes no more memory for a rest that comes in pieces of one byte', async () => {
    const { channel, end } = await receivingTarget();
    end.write(encodeFrame('barrier', { round: 0, pages: 0, next: AfterRound.PROOF }));
    expect((await channel.receive('arrived')).name).toBe('arrived');
    const pieces = Buffer.concat(Array.from({ length: 10_000 }, () => encodeFrame('rest', {}, Uint8Array.of(1))));
    const taken = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
    const before = taken();
    for (let i = 0; i < 30; i++) await new Promise((resolve) => end.write(pieces, resolve));
    expect(taken() - before).toBeLessThan(48 * MIB);
    end.write(encodeFrame('rest', {}));
    end.write(encodeFrame('seal', { root: 1n, rest: 2n, paused: 0, count: 0 }));
    expect(await answerOf(channel)).toContain('bad-');
  });

  it('refuses a hello with a nonce of another connection, and one that was said before', async () => {
    const { channel } = await targetAndPeer();
    await channel.send(
      'hello',
      {},
      { protocol: PROTOCOL, version: 1, nonce: 'ab'.repeat(16), migration: '00'.repeat(16), attempt: 1, capabilities },
    );
    expect(await answerOf(channel)).toContain('hello-replayed');
  });

  it('refuses a machine that is too large, before anything is allocated', async () => {
    const { pair, channel, nonce } = await targetAndPeer();
    await channel.send(
      'hello',
      {},
      { protocol: PROTOCOL, version: 1, nonce, migration: '00'.repeat(16), attempt: 1, capabilities },
    );
    const { description } = mixedMachine(100);
    const regions = [{ ...description.regions[0], pages: 2 ** 27 }];
    await channel.send('describe', {}, { description: { ...description, regions }, rest: new Uint8Array(0) });
    expect(await answerOf(channel)).toContain('too-much-memory');
    expect(pair.host.machine).toBeUndefined();
  });

  it('gives up a peer that sends rounds without end', async () => {
    const { pair, channel, end } = await receivingTarget();
    for (let round = 0; round <= MAX_ROUNDS + 1; round++) {
      const barrier = encodeFrame('barrier', { round, pages: 0, next: 0 });
      if (!end.write(barrier) && round % 256 === 0) await channel.receive('arrived');
    }
    expect(await answerOf(channel)).toContain('too-many-rounds');
    expect(pair.targetLog.written.at(-1)).toBe('gave-up');
    channel.destroy();
  });

  it('gives up a peer that drips, and one that says nothing', async () => {
    const { channel, end } = await receivingTarget();
    const frame = pagesFrame([{ page: 3, codec: 1, length: 4096 }], page);
    let at = 0;
    const drip = every(20, () => end.write(frame.subarray(at, ++at)));
    expect(await answerOf(channel)).toBe('closed');
    // The whole frame would take more than a minute.
    expect(at).toBeLessThan(frame.length / 4);
    stopTimer(drip);
  });

  it('takes any bytes as a refusal, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 5 }),
        async (pieces) => {
          const { pair, channel, end } = await targetAndPeer();
          for (const piece of pieces) end.write(piece);
          end.end();
          await answerOf(channel);
          expect(pair.host.machine).toBeUndefined();
          channel.destroy();
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('a source', () => {
  const answers: [FrameName, Uint8Array][] = [
    ['accept', encodeFrame('accept', {}, { nothing: 1 })],
    ['leaves', encodeFrame('leaves', { first: 4_000_000_000, count: 1 }, new Uint8Array(8))],
    ['leaves', encodeFrame('leaves', { first: 0, count: 9 }, new Uint8Array(8))],
    ['arrived', encodeFrame('running', {})],
    ['arrived', encodeFrame('ready', {})],
    ['ready', encodeFrame('running', {})],
    ['ready', encodeFrame('differ', { first: 0, count: 512 }, new Uint8Array(8))],
    ['ready', encodeFrame('differ', { first: 0, count: 0 })],
    ['ready', encodeFrame('differ', { first: 512, count: 512 }, new Uint8Array(4096))],
    ['credit', encodeFrame('credit', { bytes: 0xffffffff, busy: 255 })],
  ];

  it.each(answers)('goes on with its machine when %s is a lie', async (name, lie) => {
    const pair = await Pair.create();
    const machine = mixedMachine(400);
    pair.tap = (from, found) => (from === 'target' && found === name ? lie : 'pass');
    const { outcome } = await pair.migrate(machine, { resumeWithinMs: 50 }).catch(() => ({ outcome: 'kept' }));
    if (name === 'credit') expect(outcome).toBe('handed-over');
    else expect([outcome, machine.isRunning, pair.host.machine?.isRunning ?? false]).toEqual(['kept', true, false]);
  });

  it.each(['leaves', 'differ'] as const)('goes on with its machine when %s do not end', async (name) => {
    const pair = await Pair.create();
    const machine = mixedMachine(400);
    const frame = encodeFrame(name, { first: 0, count: 1 }, new Uint8Array(8));
    const at = name === 'leaves' ? 'leaves' : 'ready';
    pair.tap = (from, found) => (from === 'target' && found === at ? Buffer.concat([frame, frame]) : 'pass');
    const { because } = await pair
      .migrate(machine, { resumeWithinMs: 50 })
      .catch((error: Error) => ({ because: error.message }));
    expect(because).toContain('expected ascending ones');
    expect(machine.isRunning).toBe(true);
  });

  it('goes on with its machine when the target is silent', async () => {
    const machine = mixedMachine(50);
    const pair = await Pair.create();
    const silent = async () => duplexPair()[0];
    await expect(pair.migrate(machine, { connect: silent, timeOuts: { ...SHORT, hello: 100 } })).rejects.toThrow(
      'no complete message has come',
    );
    expect(machine.isRunning).toBe(true);
  });

  it('arrives whole, or stays, whichever byte of a frame is changed', async () => {
    let frames = 0;
    const count = await Pair.create();
    count.tap = () => {
      frames++;
      return 'pass';
    };
    await count.migrate(mixedMachine(200));
    for (let at = 1; at <= frames; at++) {
      for (const share of [0.02, 0.5, 0.99]) {
        const pair = await Pair.create({ keepMs: 10 });
        const machine = mixedMachine(200);
        const abort = new AbortController();
        let seen = 0;
        pair.tap = (_from, _name, frame) => {
          if (++seen !== at) return 'pass';
          const changed = Uint8Array.from(frame);
          changed[Math.floor((frame.length - 1) * share)] ^= 0x10;
          return changed;
        };
        const stop = after(400, () => abort.abort());
        await pair
          .migrate(machine, {
            resumeWithinMs: 50,
            signal: abort.signal,
            timeOuts: { frame: 200, hello: 100, beat: 50 },
          })
          .catch(() => {});
        stopTimer(stop);
        const arrived = pair.host.machine as PlainMachine | undefined;
        expect(machine.isRunning && arrived?.isRunning, `frame ${at} at ${share}`).not.toBe(true);
        if (arrived?.isRunning) expect(Buffer.compare(arrived.memory, machine.memory)).toBe(0);
      }
    }
  });
});
