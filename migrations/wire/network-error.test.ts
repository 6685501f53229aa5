import { describe, expect, it } from 'vitest';
import { connectToTarget } from '../trust/connect-to-target.ts';
import { Gate } from '../trust/gate.ts';
import { LinkError } from './link-error.ts';
import { networkError } from './network-error.ts';

/** Words of Node and the system, which nobody needs to know. */
const JARGON = /\bE[A-Z]{3,}\b|getaddrinfo|AggregateError|\bbind\b|\bsyscall\b|undefined|: $/;
const insecure = { kind: 'insecure' } as const;

describe('a failure of the network', () => {
  it('is told in words to the side that connects: nobody listens, no such host', async () => {
    const gate = await Gate.open({ host: '127.0.0.1', port: 0 }, insecure, { onConnection: () => {} });
    const { port } = gate.endpoint;
    gate.close();
    for (const host of ['127.0.0.1', 'localhost', '']) {
      const { code, message } = await connectToTarget({ host, port }, insecure).catch((error) => error);
      expect([code, message]).toEqual([
        'ECONNREFUSED',
        expect.stringContaining('nobody listens there; is the other side started'),
      ]);
      expect(message).not.toMatch(JARGON);
    }
    const unknown = await connectToTarget({ host: 'no-such-host.invalid', port }, insecure).catch((error) => error);
    expect(unknown.message).toMatch(/there is no host of this name|cannot be looked up/);
    expect(unknown.message).not.toMatch(JARGON);
  });

  it('is told in words to the side that listens: the port is taken, this host has no such address', async () => {
    const gate = await Gate.open({ host: '127.0.0.1', port: 0 }, insecure, { onConnection: () => {} });
    await expect(Gate.open(gate.endpoint, insecure, { onConnection: () => {} })).rejects.toThrow(
      'another program listens there already',
    );
    gate.close();
    await expect(Gate.open({ host: '192.0.2.1', port: 0 }, insecure, { onConnection: () => {} })).rejects.toThrow(
      'this host has no such address',
    );
  });

  it('is told in words when a link breaks', () => {
    const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104 });
    expect(LinkError.lost(cause).message).toBe('Cannot go on: the other side has closed the connection');
  });

  it('is told in the system’s words where there are no better ones', () => {
    const cause = Object.assign(new Error('connect ENOBUFS 1.2.3.4:5'), { code: 'ENOBUFS', errno: -105 });
    expect(networkError(cause, 'connect to there:5').message).toBe(
      'Cannot connect to there:5: no buffer space available',
    );
  });
});
