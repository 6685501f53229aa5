import { connect } from 'node:net';
import { EnvironmentError } from '../../formats/errors.ts';

/** Default ports, by scheme. */
const PORTS: Record<string, number> = { 'redis:': 6379, 'rediss:': 6379, 'postgres:': 5432, 'postgresql:': 5432 };
const CONNECT_MS = 10_000;

/**
 * Checks that the server answers: the client of Redis would try for ever, and ignore signals.
 * @param url of a server; one without a host is a socket in the file system @throws EnvironmentError `no-queue`
 */
export async function expectServer(url: string): Promise<void> {
  const { protocol, host, hostname, port } = new URL(url);
  if (hostname === '') return;
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new EnvironmentError('no-queue', `Cannot reach the queue on ${host}: ${why}`));
    const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || PORTS[protocol] });
    socket.once('connect', () => {
      socket.end();
      resolve();
    });
    socket.once('error', ({ message }) => fail(message));
    socket.setTimeout(CONNECT_MS, () => {
      socket.destroy();
      fail(`no answer within ${CONNECT_MS / 1000} s`);
    });
  });
}
