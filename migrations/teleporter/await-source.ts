import { randomInt } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { type Endpoint, endpointText } from '../endpoint.ts';
import { Peer } from './peer.ts';
import { STATUS_NUMBERS } from './status.ts';
import { encodeReply, PASSWORD_LIMIT, passwordMatches, WELCOME } from './wire.ts';

/** How long VirtualBox's target waits for a source that knows the password. */
export const DEFAULT_WAIT_MS = 5 * 60_000;
/** A connection that does not get to the password's end in this time makes room for the next one. */
const HANDSHAKE_MS = 30_000;
/** Connections that may wait while another one is at the password. */
const QUEUE_LIMIT = 16;
/** Random delay before a wrong password is answered. */
const DELAY_MS = { min: 64, max: 1024 };

export interface AwaitOptions {
  password: string;
  /** From the start to an authenticated source; default five minutes. */
  waitMs?: number;
  signal?: AbortSignal;
  /** Called once connections can be made, with the port that was given for port 0. */
  onListening?: (at: Endpoint) => void;
  /** Called for each connection that did not get in. */
  onRefused?: (from: string, why: string) => void;
}

/**
 * Listens until a source has connected and given the password; one connection at a time, and none any more after that.
 * @throws EnvironmentError `timed-out`, or when it can't listen; InterruptedError
 */
export async function awaitSource(endpoint: Endpoint, options: AwaitOptions): Promise<Peer> {
  const door = new Door();
  const at = await door.open(endpoint);
  options.onListening?.(at);
  const deadline = performance.now() + (options.waitMs ?? DEFAULT_WAIT_MS);
  try {
    for (;;) {
      const socket = await door.next(deadline, options.signal);
      const from = endpointText({ host: socket.remoteAddress ?? '?', port: socket.remotePort ?? 0 });
      const peer = new Peer(socket, from, options.signal);
      const why = await authenticate(peer, options.password).catch((error) => {
        peer.destroy();
        throw error;
      });
      if (why === undefined) return peer;
      options.onRefused?.(from, why);
      await peer.close();
    }
  } finally {
    door.close();
  }
}

/** Welcomes a source and asks for the password. @returns why it did not get in; undefined when it did */
export async function authenticate(peer: Peer, password: string): Promise<string | undefined> {
  try {
    await peer.write(Buffer.from(`${WELCOME}\n`));
    const line = await peer.line(PASSWORD_LIMIT, { withinMs: HANDSHAKE_MS });
    if (!line) return 'it closed the connection';
    if (!line.ended || !passwordMatches(line.text, password)) {
      await sleep(randomInt(DELAY_MS.min, DELAY_MS.max + 1));
      await peer.write(encodeReply({ ack: false, status: STATUS_NUMBERS.VERR_AUTHENTICATION_FAILURE, text: '' }));
      return 'wrong password';
    }
    await peer.write(encodeReply({ ack: true }));
    return undefined;
  } catch (error) {
    if (error instanceof EnvironmentError) return error.message;
    throw error;
  }
}

/** A listening socket that hands connections out one by one. */
class Door {
  readonly #server: Server = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true });
  readonly #waiting: Socket[] = [];
  #wake: () => void = () => {};

  async open({ host, port }: Endpoint): Promise<Endpoint> {
    this.#server.on('connection', (socket) => {
      socket.on('error', () => {});
      if (this.#waiting.length >= QUEUE_LIMIT) socket.destroy();
      else this.#waiting.push(socket);
      this.#wake();
    });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(EnvironmentError.from(error, `listen on ${endpointText({ host, port })}`)));
      this.#server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
    });
    return { host, port: (this.#server.address() as AddressInfo).port };
  }

  async next(deadline: number, signal: AbortSignal | undefined): Promise<Socket> {
    for (;;) {
      if (signal?.aborted) throw new InterruptedError();
      const socket = this.#waiting.shift();
      if (socket) return socket;
      const left = deadline - performance.now();
      if (left <= 0) throw new EnvironmentError('timed-out', 'Cannot receive: no source with the right password came in time');
      await this.#event(left, signal);
    }
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
  }

  #event(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      // Timers take at most 2^31 - 1 ms; waiting in steps is as good.
      const timer = setTimeout(resolve, Math.min(ms, 60_000));
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      signal?.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
  }
}
