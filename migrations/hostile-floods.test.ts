import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { MIB } from '../formats/sizes.ts';
import { Receiver } from './arrival/receiver.ts';
import { DecisionMemory } from './hand-over/decision-record.ts';
import { DEFAULT_LIMITS } from './policy/limits.ts';
import { migrate, newMigrationId } from './source/migration.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { PlainHost } from './testing/plain-machine.ts';
import { answerOf, targetAndPeer } from './testing/rude-peer.ts';
import { connectToTarget } from './trust/connect-to-target.ts';
import { Gate } from './trust/gate.ts';
import { keyOfCode, newPairingCode } from './trust/pairing-code.ts';
import type { Trust } from './trust/trust.ts';
import { FRAMES, type FrameName } from './wire/frames.ts';
import { PROTOCOL } from './wire/messages.ts';
import { encodeFrame, writeFrameHeader } from './wire/payload.ts';

/** A frame of a message that nobody would pack. */
function frameOf(name: FrameName, message: Uint8Array): Uint8Array {
  return encodeFrame(name, {} as never, message);
}

/** Messages that would take far more memory than they have bytes, or unwind the stack. */
const BOMBS: [string, Uint8Array][] = [
  ['lists inside of each other', new Uint8Array(200_000).fill(0x91)],
  ['maps inside of each other', new Uint8Array(200_000).fill(0x81)],
  ['empty maps without number', Buffer.concat([Uint8Array.of(0xdd, 0, 3, 0, 0), Buffer.alloc(0x30000, 0x80)])],
  ['a list of 4 Gi items', Uint8Array.of(0xdd, 255, 255, 255, 255)],
  ['an extension of msgpackr', Uint8Array.of(0xd4, 0x72, 0x40)],
];

describe('before hello', () => {
  it.each(BOMBS)('%s are refused, and cost next to nothing', async (_, message) => {
    const { channel, end } = await targetAndPeer();
    const before = process.memoryUsage().heapUsed;
    end.write(frameOf('hello', message));
    expect(await answerOf(channel)).toContain('bad-message');
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * MIB);
  });

  it.each(['describe', 'pages', 'seal'] as const)('a large frame %s is refused at its header', async (name) => {
    const { channel, end } = await targetAndPeer();
    const header = new Uint8Array(12);
    writeFrameHeader(header, FRAMES[name].type, FRAMES[name].limit);
    end.write(header);
    expect(await answerOf(channel)).toContain('frame-too-long');
  });

  it('a flood of small frames is refused at the first', async () => {
    const { channel, end } = await targetAndPeer();
    const beats = Buffer.concat(Array.from({ length: 10_000 }, () => encodeFrame('beat', {})));
    for (let i = 0; i < 20; i++) end.write(beats);
    expect(await answerOf(channel)).toContain('unexpected');
  });
});

it('A description of 32 MiB of empty maps is refused, and costs next to nothing', async () => {
  const { pair, channel, end, nonce } = await targetAndPeer();
  const capabilities = { zstd: true, streams: 1, window: 1 << 20 };
  await channel.send(
    'hello',
    {},
    { protocol: PROTOCOL, version: 1, nonce, migration: '00'.repeat(16), attempt: 1, capabilities },
  );
  const message = new Uint8Array(32 * MIB - 16).fill(0x80);
  message.set([0xdd, 0x01, 0xff, 0xff, 0xeb]);
  const before = process.memoryUsage().heapUsed;
  end.write(frameOf('describe', message));
  expect(await answerOf(channel)).toContain('bad-message');
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * MIB);
  expect(pair.host.machine).toBeUndefined();
});

describe('a gate', () => {
  let gate: Gate;
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    gate.close();
  });

  it('lets a source in while thousands of strangers connect and say nothing', async () => {
    const trust: Trust = { kind: 'code', key: keyOfCode(newPairingCode()) };
    const receiver = await Receiver.create(new PlainHost(), { logFor: () => new DecisionMemory() });
    gate = await Gate.open({ host: '127.0.0.1', port: 0 }, trust, {
      onConnection: (socket, peer) => void receiver.accept(socket, peer),
    });
    const { endpoint } = gate;
    let [connected, closed] = [0, 0];
    for (let i = 0; i < 2000; i++) {
      const socket = connect(endpoint.port, '127.0.0.1', () => connected++);
      socket
        .on('error', () => {})
        .on('close', () => closed++)
        .resume();
      sockets.push(socket);
    }
    const report = await migrate(mixedMachine(50), {
      connect: (signal) => connectToTarget(endpoint, trust, signal),
      ...{ migration: newMigrationId(), log: new DecisionMemory(), limits: { ...DEFAULT_LIMITS } },
    });
    expect(report.outcome).toBe('handed-over');
    // Of so many at once the system itself holds some back for a while.
    await expect.poll(() => connected).toBeGreaterThan(1000);
    // Those that were here longest had to go.
    await expect.poll(() => closed).toBeGreaterThan(500);
  });
});
