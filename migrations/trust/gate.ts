import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { EnvironmentError } from '../../formats/errors.ts';
import { type Endpoint, endpointText } from '../endpoint.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { distrustOf, type Trust, targetTls } from './trust.ts';

/** Connections at a time: the streams of one migration, and whoever else tries. */
const MAX_CONNECTIONS = 64;
/** Connections that have not shown yet that they are to be trusted: of more than these the oldest has to go, so that a flood shuts nobody out for long. */
const MAX_STRANGERS = 64;

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
    const welcome = (socket: Socket) => {
      socket.on('error', () => {});
      onConnection(socket.setNoDelay(true).setKeepAlive(true), nameOf(socket));
    };
    if (tls) guard(tls, trust, welcome, onRefused);
    else server.on('connection', welcome).maxConnections = MAX_CONNECTIONS;
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

/** Lets those in who have shown that they are to be trusted. */
function guard(tls: TlsServer, trust: Trust, welcome: (socket: Socket) => void, onRefused: GateOptions['onRefused']): void {
  const strangers = new Set<Socket>();
  let friends = 0;
  tls.on('connection', (socket: Socket) => {
    strangers.add(socket);
    socket.once('close', () => strangers.delete(socket));
    if (strangers.size <= MAX_STRANGERS) return;
    const [oldest] = strangers;
    strangers.delete(oldest);
    oldest.destroy();
  });
  tls.on('tlsClientError', (error, socket) => onRefused?.(nameOf(socket), whyNot(trust, error)));
  tls.on('secureConnection', (socket: TLSSocket) => {
    for (const stranger of strangers)
      if (stranger.remotePort === socket.remotePort && stranger.remoteAddress === socket.remoteAddress) strangers.delete(stranger);
    if (friends === MAX_CONNECTIONS) return socket.destroy();
    friends++;
    socket.once('close', () => friends--);
    welcome(socket);
  });
}

function whyNot(trust: Trust, error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNRESET' || error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'it has closed the connection, or said nothing for too long';
  if (trust.kind === 'code') return 'it does not know the pairing code';
  return distrustOf(trust, error)?.words ?? error.message;
}

function nameOf(socket: Socket): string {
  return endpointText({ host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 });
}
