import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { startListening } from '../../formats/world/start-listening.ts';
import type { TimerHandle } from '../../formats/world/time.ts';
import { after, stopTimer } from '../../formats/world/waiting.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { networkError } from '../wire/network-error.ts';
import { refusalOf } from './distrust.ts';
import { type Endpoint, endpointText } from './endpoint.ts';
import { blockOf, GuessLimit } from './guess-limit.ts';
import { proveToSource } from './key-proof.ts';
import { type OnRefused, Refusals } from './refusals.ts';
import { isKeyed, type SecureTrust, sourceFault, type Trust, targetTls } from './trust.ts';
import { UntrustedConnections } from './untrusted-connections.ts';

/** Maximum number of trusted connections at a time: the streams of one migration, and other peers that have the key. */
const MAX_CONNECTIONS = 64;

/** Callbacks of a gate. */
export interface GateOptions {
  /** Gets each connection that is trusted. */
  onConnection: (socket: Socket, peer: string) => void;
  /** Called after a refusal; after many at a time, not for each. */
  onRefused?: OnRefused;
}

/** The port where a target listens: accepts connections of trusted peers. */
export class Gate {
  /** Address at which the gate listens, with the port that the system gave for port 0. */
  readonly endpoint: Endpoint;
  readonly #server: Server;
  readonly #guard: Guard;

  private constructor(server: Server, guard: Guard, endpoint: Endpoint) {
    this.#server = server;
    this.#guard = guard;
    this.endpoint = endpoint;
  }

  /** @throws EnvironmentError when the address can't be used */
  static async open(endpoint: Endpoint, trust: Trust, options: GateOptions): Promise<Gate> {
    const { host, port } = endpoint;
    const guard = trust.kind === 'insecure' ? new OpenGuard(options) : new SecureGuard(trust, options);
    const server = createServer((socket) => guard.meet(socket));
    await startListening(server, { port, ...(host === '' ? {} : { host }) }).catch((error) => {
      throw networkError(error, `listen on ${endpointText(endpoint)}`);
    });
    return new Gate(server, guard, { host, port: (server.address() as AddressInfo).port });
  }

  /** Accepts no more connections; those that were accepted stay. */
  close(): void {
    this.#server.close();
    this.#guard.close();
  }
}

interface Guard {
  meet(socket: Socket): void;
  close(): void;
}

/** Accepts every connection; where there are too many, closes one that has sent nothing yet. */
class OpenGuard implements Guard {
  readonly #options: GateOptions;
  readonly #inside = new Set<Socket>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  meet(socket: Socket): void {
    const name = nameOf(socket);
    const isFull = this.#inside.size >= MAX_CONNECTIONS;
    const silent = isFull ? [...this.#inside].find(({ bytesRead }) => bytesRead === 0) : undefined;
    if (name === undefined || (isFull && !silent)) return void socket.destroy();
    silent?.destroy();
    this.#inside.add(socket);
    socket.once('close', () => this.#inside.delete(socket));
    this.#options.onConnection(prepared(socket), name);
  }

  close(): void {}
}

/** Accepts peers that prove in time that they are trusted, and slows down those that guess keys. */
class SecureGuard implements Guard {
  readonly #trust: SecureTrust;
  readonly #options: GateOptions;
  readonly #tls: TlsServer;
  readonly #untrusted = new UntrustedConnections();
  readonly #guesses = new GuessLimit();
  readonly #refusals: Refusals;
  /** Connections by their names, until they are trusted or gone: a TLS socket does not tell the TCP socket under it. */
  readonly #met = new Map<string, Socket>();
  readonly #timers = new WeakMap<Socket, TimerHandle>();
  #friends = 0;
  #isClosed = false;

  constructor(trust: SecureTrust, options: GateOptions) {
    this.#trust = trust;
    this.#options = options;
    this.#refusals = new Refusals(options.onRefused);
    this.#tls = createTlsServer({ ...targetTls(trust), handshakeTimeout: TIME_OUTS.hello });
    this.#tls.on('tlsClientError', (error, socket) => this.#onDistrust(socket, error));
    this.#tls.on('secureConnection', (socket) => void this.#onHandshake(socket));
  }

  meet(socket: Socket): void {
    const { remoteAddress: address = '' } = socket;
    const name = nameOf(socket);
    socket.on('error', () => {});
    const wait = this.#guesses.admit(address);
    if (name === undefined || wait === undefined) {
      if (name !== undefined) this.#refusals.note(name, 'too many wrong tries have come from there');
      return void socket.destroy();
    }
    this.#met.set(name, socket);
    socket.once('close', () => this.#onGone(name, socket));
    this.#untrusted.add(socket, blockOf(address));
    const begin = () => {
      if (socket.destroyed) return;
      const late = after(TIME_OUTS.hello, () => socket.destroy());
      socket.once('close', () => stopTimer(late));
      this.#timers.set(socket, late);
      this.#tls.emit('connection', socket);
    };
    if (wait === 0) begin();
    else after(wait, begin, { keepsAlive: false });
  }

  close(): void {
    this.#isClosed = true;
    this.#untrusted.clear();
  }

  /**
   * Checks a peer after its TLS handshake. With a key, both sides prove that they have it, bound to this very channel.
   */
  async #onHandshake(secure: TLSSocket): Promise<void> {
    secure.on('error', () => {});
    const name = nameOf(secure);
    const socket = name === undefined ? undefined : this.#met.get(name);
    if (!socket || name === undefined || this.#isClosed) return void secure.destroy();
    try {
      if (isKeyed(this.#trust)) await proveToSource(secure, this.#trust.key);
      else throwIfAny(sourceFault(secure));
    } catch (error) {
      this.#onDistrust(secure, error as Error);
      return void secure.destroy();
    }
    stopTimer(this.#timers.get(socket));
    this.#met.delete(name);
    if (!this.#untrusted.delete(socket) || this.#isClosed || this.#friends === MAX_CONNECTIONS)
      return void secure.destroy();
    this.#guesses.right(socket.remoteAddress ?? '');
    this.#friends++;
    secure.once('close', () => this.#friends--);
    this.#options.onConnection(prepared(secure), name);
  }

  #onDistrust(secure: Socket, error: NodeJS.ErrnoException): void {
    const name = nameOf(secure);
    const socket = name === undefined ? undefined : this.#met.get(name);
    // A peer that has gone, or sent nothing, has not guessed a key.
    if (!socket || name === undefined || !isGuess(error)) return;
    this.#met.delete(name);
    const address = socket.remoteAddress ?? '';
    this.#guesses.wrong(address);
    const pause = this.#guesses.pauseOf(address);
    this.#refusals.note(
      name,
      `${refusalOf(this.#trust, error)}${pause > 0 ? `; from there a try counts every ${pause / 1000} s now` : ''}`,
    );
  }

  #onGone(name: string, socket: Socket): void {
    if (this.#met.get(name) !== socket) return;
    this.#met.delete(name);
    if (!this.#isClosed) this.#refusals.note(name, 'it has closed the connection, or said nothing for too long');
  }
}

function isGuess({ code }: NodeJS.ErrnoException): boolean {
  return code !== undefined && code !== 'ECONNRESET' && code !== 'EPIPE' && code !== 'ERR_TLS_HANDSHAKE_TIMEOUT';
}

function throwIfAny(fault: Error | undefined): void {
  if (fault) throw fault;
}

function prepared<T extends Socket>(socket: T): T {
  socket.on('error', () => {});
  return socket.setNoDelay(true).setKeepAlive(true);
}

/** Address of the other side; undefined for a connection that is gone already. */
function nameOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined || remotePort === undefined
    ? undefined
    : endpointText({ host: remoteAddress, port: remotePort });
}
