import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connectToTarget } from './connect-to-target.ts';
import { Gate } from './gate.ts';
import { blockOf, GuessLimit } from './guess-limit.ts';
import { keyOfCode, newPairingCode } from './pairing-code.ts';
import { Refusals } from './refusals.ts';
import type { Trust } from './trust.ts';

const code = (): Trust => ({ kind: 'code', key: keyOfCode(newPairingCode()) });
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function open(trust: Trust) {
  const inside: Socket[] = [];
  const refused: string[] = [];
  const gate = await Gate.open({ host: '127.0.0.1', port: 0 }, trust, {
    onConnection: (socket) => inside.push(socket),
    onRefused: (_, why) => refused.push(why),
  });
  closers.push(() => {
    gate.close();
    for (const socket of inside) socket.destroy();
  });
  return { endpoint: gate.endpoint, inside, refused };
}

function sayNothing(port: number, localAddress: string, count: number): Socket[] {
  const sockets = Array.from({ length: count }, () =>
    connect({ host: '127.0.0.1', port, localAddress }).on('error', () => {}),
  );
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

describe('guesses', () => {
  const wrong = (limit: GuessLimit, address: string, count: number, now = 0) => {
    for (let i = 0; i < count; i++) limit.wrong(address, now);
  };

  it('cost their address twice as long each time, and others nothing', () => {
    const limit = new GuessLimit();
    const waits = Array.from({ length: 12 }, () => {
      limit.wrong('10.0.0.1', 0);
      return limit.pauseOf('10.0.0.1');
    });
    expect(waits).toEqual([0, 0, 0, 500, 1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000]);
    expect(limit.admit('10.0.0.2', 0)).toBe(0);
    // After a while it may try again: somebody may have mistyped.
    expect(limit.admit('10.0.0.1', 120_000)).toBe(0);
  });

  it('come one after the other, however many connections there are', () => {
    const limit = new GuessLimit();
    wrong(limit, '10.0.0.1', 4);
    expect([limit.admit('10.0.0.1', 500), limit.admit('10.0.0.1', 500), limit.admit('10.0.0.1', 500)]).toEqual([
      0, 500, 1000,
    ]);
  });

  it('from everywhere make everybody wait who has not shown the key', () => {
    const limit = new GuessLimit();
    limit.right('10.9.9.9');
    for (let i = 0; i <= 100; i++) limit.wrong(`10.0.1.${i}`, 0);
    expect([limit.admit('10.0.2.1', 0), limit.admit('10.0.2.2', 0), limit.admit('10.9.9.9', 0)]).toEqual([0, 1000, 0]);
  });

  it('from one network of IPv6 count as those of one address', () => {
    expect(blockOf('2001:db8::1')).toBe(blockOf('2001:db8:0:0:ffff::2'));
    expect(blockOf('2001:db8:0:1::1')).not.toBe(blockOf('2001:db8::1'));
    expect(blockOf('::ffff:10.0.0.1')).toBe('10.0.0.1');
    expect(blockOf('fe80::1%eth0')).toBe('fe80:0:0:0');
  });

  it('are told, and do not keep the right code out', async () => {
    const trust = code();
    const { endpoint, inside, refused } = await open(trust);
    for (let i = 0; i < 4; i++)
      await expect(connectToTarget(endpoint, code())).rejects.toMatchObject({ code: 'wrong-code' });
    const why = 'it does not know the pairing code';
    expect(refused).toEqual([why, why, why, `${why}; from there a try counts every 0.5 s now`]);
    const start = performance.now();
    closers.push(() => socket.destroy());
    const socket = await connectToTarget(endpoint, trust);
    expect(performance.now() - start).toBeGreaterThan(300);
    await expect.poll(() => inside.length).toBe(1);
  });
});

describe('a gate', () => {
  it('sends away strangers from the address with most of them when there are too many', async () => {
    const { endpoint } = await open(code());
    const [patient] = sayNothing(endpoint.port, '127.0.0.1', 1);
    await new Promise((resolve) => patient.once('connect', resolve));
    const crowd = sayNothing(endpoint.port, '127.0.0.2', 200);
    await expect
      .poll(() => crowd.filter(({ destroyed, readyState }) => destroyed || readyState !== 'open').length)
      .toBeGreaterThan(130);
    expect(patient.readyState).toBe('open');
  });

  it('without a key closes a silent connection to make room for another one', async () => {
    const { endpoint, inside } = await open({ kind: 'insecure' });
    sayNothing(endpoint.port, '127.0.0.1', 64);
    await expect.poll(() => inside.length).toBe(64);
    const socket = await connectToTarget(endpoint, { kind: 'insecure' });
    closers.push(() => socket.destroy());
    await expect.poll(() => inside.length).toBe(65);
    expect(inside.filter(({ destroyed }) => destroyed)).toHaveLength(1);
  });

  it('tells of a flood that it is one', () => {
    const told: string[] = [];
    const refusals = new Refusals((_, why) => told.push(why));
    for (let i = 0; i < 1000; i++) refusals.note('10.0.0.1:1', 'no');
    expect(told.length).toBeGreaterThanOrEqual(20);
    expect(told.length).toBeLessThan(100);
  });
});
