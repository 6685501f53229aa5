import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { type Endpoint, endpointText } from '../endpoint.ts';
import { KEEP_ALIVE_MS, Peer } from './peer.ts';
import { type RelayKey, serverTls } from './relay-key.ts';

/** Connections that may wait while another one is served. */
const QUEUE_LIMIT = 16;
/** Timers take at most 2^31 - 1 ms; waiting in steps is as good. */
const WAIT_STEP_MS = 60_000;
const TLS_HANDSHAKE_MS = 30_000;

export interface DoorOptions {
  /** Speak TLS, with this key. */
  key?: RelayKey;
  /** Called for connections that did not know the key. */
  onRefused?: (from: string, why: string) => void;
}

/** A listening socket that hands connections out one by one. */
export class Door {
  /** Where it listens, with the port that was given for port 0. */
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  #wake: () => void = () => {};

  /** @throws EnvironmentError with the system's code */
  static async open(endpoint: Endpoint, { key, onRefused }: DoorOptions = {}): Promise<Door> {
    const { host, port } = endpoint;
    const server = key ? createTlsServer({ ...serverTls(key), handshakeTimeout: TLS_HANDSHAKE_MS }) : createServer();
    server.on('tlsClientError', (_error, socket: Socket) => onRefused?.(nameOf(socket), 'it does not know the key'));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(EnvironmentError.from(error, `listen on ${endpointText(endpoint)}`)));
      server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
    });
    return new Door(server, key ? 'secureConnection' : 'connection', { host, port: (server.address() as AddressInfo).port });
  }

  private constructor(server: Server, event: 'connection' | 'secureConnection', endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = endpoint;
    server.on(event, (socket: Socket) => {
      socket.on('error', () => {});
      if (this.#waiting.length >= QUEUE_LIMIT) socket.destroy();
      else this.#waiting.push(socket);
      this.#wake();
    });
  }

  /**
   * The next connection.
   * @param deadline as `performance.now()` counts
   * @throws EnvironmentError `timed-out`; InterruptedError
   */
  async next(deadline: number, signal: AbortSignal | undefined): Promise<Peer> {
    for (;;) {
      if (signal?.aborted) throw new InterruptedError();
      const socket = this.#waiting.shift();
      if (socket) return new Peer(socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS), nameOf(socket), signal);
      const left = deadline - performance.now();
      if (left <= 0) throw new EnvironmentError('timed-out', 'Cannot go on: no source came in time');
      await this.#event(left, signal);
    }
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
  }

  #event(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(ms, WAIT_STEP_MS));
      signal?.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
  }
}

function nameOf(socket: Socket): string {
  return endpointText({ host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 });
}
