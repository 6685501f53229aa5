import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { SECRET_LINE } from '../testing/frames.ts';
import { follow, type Line } from '../testing/scripted-peer.ts';
import { type AwaitOptions, awaitSource } from './await-source.ts';
import type { Peer } from './peer.ts';

/** Waits for sources on a free port. */
async function waiting(
  options: Partial<AwaitOptions> = {},
): Promise<{ port: number; source: Promise<Peer>; refused: string[] }> {
  const refused: string[] = [];
  return new Promise((resolve) => {
    const source = awaitSource(
      { host: '127.0.0.1', port: 0 },
      {
        password: 'secret',
        onListening: ({ port }) => resolve({ port, source, refused }),
        onRefused: (_from, why) => refused.push(why),
        ...options,
      },
    );
    source.catch(() => {});
  });
}

function socketTo(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
  });
}

async function say(port: number, script: Line[]): Promise<string> {
  return (await follow(await socketTo(port), script)).toString();
}

const WELCOME: Line = { hear: 'VirtualBox-Teleporter-1.0\n' };

describe('awaitSource()', () => {
  it('welcomes, and takes the right password in either form', async () => {
    for (const line of [SECRET_LINE, 'secret']) {
      const { port, source } = await waiting();
      const heard = say(port, [WELCOME, { say: `${line}\n` }, { hear: 'ACK\n' }, { close: true }]);
      (await source).destroy();
      expect(await heard).toBe('VirtualBox-Teleporter-1.0\nACK\n');
    }
  });

  it('drops wrong passwords, late and in the table’s words, and goes on listening', async () => {
    const { port, source, refused } = await waiting();
    const start = performance.now();
    for (const password of ['wrong\n', '\n', 'x'.repeat(1100)]) {
      expect(await say(port, [WELCOME, { say: password }, { hear: '\n' }])).toBe(
        'VirtualBox-Teleporter-1.0\nNACK=-89\n',
      );
    }
    expect(performance.now() - start).toBeGreaterThan(3 * 64);
    expect(await say(port, [WELCOME, { close: true }])).toBe('VirtualBox-Teleporter-1.0\n');
    const heard = say(port, [WELCOME, { say: `${SECRET_LINE}\n` }, { hear: 'ACK\n' }, { close: true }]);
    (await source).destroy();
    expect(await heard).toContain('ACK');
    expect(refused).toEqual([...Array(3).fill('wrong password'), 'it closed the connection']);
  });

  it('serves one connection at a time, and none any more once somebody got in', async () => {
    const { port, source } = await waiting();
    const first = await socketTo(port);
    const second = socketTo(port).then((socket) => follow(socket, [{ close: true }]));
    const heard = follow(first, [
      WELCOME,
      { pause: 30 },
      { say: `${SECRET_LINE}\n` },
      { hear: 'ACK\n' },
      { close: true },
    ]);
    const peer = await source;
    expect((await second).toString()).toBe('');
    await expect(socketTo(port)).rejects.toThrow();
    peer.destroy();
    await heard;
  });

  it('does not wait for a silent source while others wait', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { port, source, refused } = await waiting();
      const silent = await socketTo(port);
      await new Promise((resolve) => silent.once('data', resolve));
      const other = await socketTo(port);
      const heard = follow(other, [WELCOME, { say: `${SECRET_LINE}\n` }, { hear: 'ACK\n' }, { close: true }]);
      for (let i = 0; i < 50; i++) await new Promise(setImmediate);
      // Less time than a silent source would have if no other one waited.
      for (let i = 0; i < 11; i++) await vi.advanceTimersByTimeAsync(1000);
      (await source).destroy();
      expect((await heard).toString()).toContain('ACK');
      expect(refused).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gives up when nobody comes', async () => {
    const { source } = await waiting({ waitMs: 30 });
    await expect(source).rejects.toMatchObject({ code: 'timed-out' });
  });

  it('can be interrupted', async () => {
    const abort = new AbortController();
    const { source, port } = await waiting({ signal: abort.signal });
    const idle = await socketTo(port);
    setTimeout(() => abort.abort(), 20);
    await expect(source).rejects.toMatchObject({ code: 'interrupted' });
    idle.destroy();
  });

  it('says why it cannot listen', async () => {
    const { port, source } = await waiting({ waitMs: 200 });
    await expect(awaitSource({ host: '127.0.0.1', port }, { password: '' })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    await source.catch(() => {});
  });
});
