import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { type Endpoint, endpointText } from '../endpoint.ts';
import { KEEP_ALIVE_MS, Peer } from './peer.ts';
import { clientTls, type RelayKey } from './relay-key.ts';

/** A target that does not even accept the connection in this time is not there. */
const CONNECT_MS = 30_000;

export interface ConnectOptions {
  signal?: AbortSignal;
  /** Speak TLS, with this key. */
  key?: RelayKey;
}

/** Connects to a target that waits. @throws EnvironmentError `wrong-key`, or with the system's code; InterruptedError */
export async function connectPeer(endpoint: Endpoint, { signal, key }: ConnectOptions = {}): Promise<Peer> {
  const name = endpointText(endpoint);
  const socket = key ? connectTls({ ...addressOf(endpoint), ...clientTls(key) }) : connect(addressOf(endpoint));
  const stop = () => socket.destroy(new InterruptedError());
  const timer = setTimeout(() => socket.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })), CONNECT_MS);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    if (signal?.aborted) throw new InterruptedError();
    await ready(socket, key ? 'secureConnect' : 'connect');
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return new Peer(socket, name, signal);
  } catch (error) {
    socket.destroy();
    if (error instanceof InterruptedError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code.startsWith('ERR_SSL')) throw new EnvironmentError('wrong-key', `Cannot connect to ${name}: there is no relay with the same key`);
    throw EnvironmentError.from(error, `connect to ${name}`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

function addressOf({ host, port }: Endpoint): Endpoint {
  return { host: host || 'localhost', port };
}

function ready(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, resolve).once('error', reject);
    socket.once('close', () => reject(Object.assign(new Error('it closed the connection'), { code: 'ECONNRESET' })));
  });
}
