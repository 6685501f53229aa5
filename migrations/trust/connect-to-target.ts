import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { EnvironmentError, InterruptedError, SavkitError } from '../../formats/errors.ts';
import { after, stopTimer } from '../../formats/world/waiting.ts';
import { LinkError } from '../wire/link-error.ts';
import { networkError, systemError } from '../wire/network-error.ts';
import { distrustOf } from './distrust.ts';
import { type Endpoint, endpointText } from './endpoint.ts';
import { proveToTarget } from './key-proof.ts';
import { isKeyed, sourceTls, type Trust } from './trust.ts';

/** A target that does not answer within this time counts as absent. */
export const CONNECT_MS = 10_000;

/** One side does not accept the other's proof of identity: trying again does not help. */
export class TrustError extends EnvironmentError {}

/**
 * A connection to a target after both sides have authenticated; nothing else was sent on it yet. @throws TrustError,
 * LinkError, InterruptedError
 */
export async function connectToTarget(endpoint: Endpoint, trust: Trust, signal?: AbortSignal): Promise<Socket> {
  const { host, port } = endpoint;
  const address = { host: host || 'localhost', port };
  const socket =
    trust.kind === 'insecure' ? connect(address) : connectTls({ ...address, ...sourceTls(trust, address.host) });
  const stop = () => socket.destroy(new InterruptedError());
  const timer = after(CONNECT_MS, () => socket.destroy(systemError('ETIMEDOUT')));
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted) throw new InterruptedError();
    await ready(socket, trust.kind === 'insecure' ? 'connect' : 'secureConnect');
    if (isKeyed(trust)) await proveToTarget(socket as TLSSocket, trust.key);
    return socket.setNoDelay(true).setKeepAlive(true);
  } catch (error) {
    socket.destroy();
    throw wordsFor(error as Error, endpoint, trust);
  } finally {
    stopTimer(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function wordsFor(error: Error, endpoint: Endpoint, trust: Trust): Error {
  if (error instanceof SavkitError) return error;
  const distrust = distrustOf(trust, error);
  const where = endpointText(endpoint);
  if (distrust) return new TrustError(distrust.code, `Cannot trust ${where}: ${distrust.words}`);
  const { code, message } = networkError(error, `connect to ${where}`);
  return new LinkError(code, message);
}

function ready(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve).once('error', reject);
    socket.once('close', () => reject(systemError('ECONNRESET')));
  });
}
