import { connect } from 'node:net';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { type Endpoint, endpointText } from '../endpoint.ts';
import { Peer } from './peer.ts';

/** A target that does not even accept the connection in this time is not there. */
const CONNECT_MS = 30_000;

/** Connects to a target that waits. @throws EnvironmentError with the system's code; InterruptedError */
export async function connectPeer(endpoint: Endpoint, signal?: AbortSignal): Promise<Peer> {
  const name = endpointText(endpoint);
  const socket = connect({ host: endpoint.host || 'localhost', port: endpoint.port, noDelay: true, keepAlive: true });
  const giveUp = (error: Error) => () => socket.destroy(error);
  const stop = giveUp(new InterruptedError());
  const timer = setTimeout(giveUp(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })), CONNECT_MS);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
      if (signal?.aborted) stop();
    });
    return new Peer(socket, name, signal);
  } catch (error) {
    throw error instanceof InterruptedError ? error : EnvironmentError.from(error, `connect to ${name}`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
