import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Door } from './door.ts';

describe('Door', () => {
  it('lets nobody guess on at once: whoever guessed wrong waits, and keeps nobody else waiting', async () => {
    const door = await Door.open({ host: '127.0.0.1', port: 0 });
    const come = (localAddress: string) =>
      connect({ host: '127.0.0.1', port: door.endpoint.port, localAddress }).on('error', () => {});
    const soon = performance.now() + 60_000;
    const guesser = come('127.0.0.1');
    const first = await door.next(soon, undefined);
    for (let i = 0; i < 8; i++) door.noteGuess(false);
    const again = come('127.0.0.1');
    await new Promise((resolve) => again.once('connect', resolve));
    const friend = come('127.0.0.2');
    const next = await door.next(soon, undefined);
    expect(next.name).toContain('127.0.0.2');
    // The pause is eight seconds by now.
    await expect(door.next(performance.now() + 50, undefined)).rejects.toMatchObject({ code: 'timed-out' });
    for (const each of [first, next]) each.destroy();
    for (const each of [guesser, again, friend]) each.destroy();
    door.close();
  });

  it('lets a source in while silent connections from elsewhere fill the queue', async () => {
    const door = await Door.open({ host: '127.0.0.1', port: 0 });
    const come = async (localAddress: string) => {
      const socket = connect({ host: '127.0.0.1', port: door.endpoint.port, localAddress }).on('error', () => {});
      await new Promise((resolve) => socket.once('connect', resolve));
      return socket;
    };
    const flood = [await come('127.0.0.1')];
    const soon = performance.now() + 60_000;
    const peers = [await door.next(soon, undefined)];
    for (let i = 0; i < 40; i++) flood.push(await come('127.0.0.1'));
    const friend = await come('127.0.0.2');
    // The door learns of a connection after its other end.
    while (!peers.at(-1)?.name.includes('127.0.0.2')) peers.push(await door.next(soon, undefined));
    expect(peers.length).toBeLessThan(20);
    for (const each of [...flood, friend, ...peers]) each.destroy();
    door.close();
  });
});
