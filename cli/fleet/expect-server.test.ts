import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { expectServer } from './expect-server.ts';

it('tells a server that is there from one that is not, and does not wait for ever', async () => {
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `redis://user:secret@127.0.0.1:${(server.address() as AddressInfo).port}/3`;
  await expectServer(url);
  await new Promise((done) => server.close(done));
  const failure = await expectServer(url).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'no-queue', message: expect.stringContaining('ECONNREFUSED') });
  expect((failure as Error).message).not.toContain('secret');
  // A socket of PostgreSQL in the file system.
  await expectServer('postgres:///savkit?host=/run/postgresql');
});
