import { connectToTarget } from '../trust/connect-to-target.ts';
import type { Endpoint } from '../trust/endpoint.ts';
import { endpointText } from '../trust/endpoint.ts';
import { KEEP_ALIVE_MS, Peer } from './peer.ts';
import type { RelayKey } from './relay-key.ts';

export interface ConnectOptions {
  signal?: AbortSignal;
  /** Speak TLS, with this key. */
  key?: RelayKey;
}

/** Connects to a waiting target. @throws EnvironmentError `wrong-key`, or with the system's code; InterruptedError */
export async function connectPeer(endpoint: Endpoint, { signal, key }: ConnectOptions = {}): Promise<Peer> {
  const socket = await connectToTarget(endpoint, key ?? { kind: 'insecure' }, signal);
  return new Peer(socket.setKeepAlive(true, KEEP_ALIVE_MS), endpointText(endpoint), signal);
}
