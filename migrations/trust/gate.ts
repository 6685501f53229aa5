import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { EnvironmentError } from '../../formats/errors.ts';
import { type Endpoint, endpointText } from '../endpoint.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { distrustOf, type Trust, targetTls } from './trust.ts';

/** Connections at a time: the streams of one migration, and whoever else tries. */
const MAX_CONNECTIONS = 64;

export interface GateOptions {
  /** Gets each connection that is trusted. */
  onConnection: (socket: Socket, peer: string) => void;
  /** Somebody was not let in. */
  onRefused?: (peer: string, why: string) => void;
}

/** Where a target listens: lets in who is trusted. */
export class Gate {
  /** Where it listens, with the port that was given for port 0. */
  readonly endpoint: Endpoint;
  readonly #server: Server;

  private constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /** @throws EnvironmentError when the address can't be used */
  static async open(endpoint: Endpoint, trust: Trust, { onConnection, onRefused }: GateOptions): Promise<Gate> {
    const { host, port } = endpoint;
    const tls = trust.kind === 'insecure' ? undefined : createTlsServer({ ...targetTls(trust), handshakeTimeout: TIME_OUTS.hello });
    const server: Server = tls ?? createServer();
    server.maxConnections = MAX_CONNECTIONS;
    tls?.on('tlsClientError', (error, socket) => onRefused?.(nameOf(socket), whyNot(trust, error)));
    server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      socket.on('error', () => {});
      onConnection(socket.setNoDelay(true).setKeepAlive(true), nameOf(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(EnvironmentError.from(error, `listen on ${endpointText(endpoint)}`)));
      server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
    });
    return new Gate(server, { host, port: (server.address() as AddressInfo).port });
  }

  close(): void {
    this.#server.close();
  }
}

function whyNot(trust: Trust, error: Error): string {
  if (trust.kind === 'code') return 'it does not know the pairing code';
  return distrustOf(trust, error)?.words ?? error.message;
}

function nameOf(socket: Socket): string {
  return endpointText({ host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 });
}
