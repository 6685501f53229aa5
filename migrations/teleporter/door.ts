import type { Socket } from 'node:net';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import type { Endpoint } from '../endpoint.ts';
import { Gate } from '../trust/gate.ts';
import type { OnRefused } from '../trust/refusals.ts';
import { KEEP_ALIVE_MS, Peer } from './peer.ts';
import type { RelayKey } from './relay-key.ts';

/** Connections that may wait while another one is served. */
const QUEUE_LIMIT = 16;
/** Timers take at most 2^31 - 1 ms; waiting in steps is as good. */
const WAIT_STEP_MS = 60_000;

export interface DoorOptions {
  /** Speak TLS, with this key. */
  key?: RelayKey;
  /** Called for connections that did not know the key. */
  onRefused?: OnRefused;
}

/** Hands connections of a gate out one by one. */
export class Door {
  readonly #waiting: { socket: Socket; name: string }[] = [];
  #gate!: Gate;
  #wake: () => void = () => {};

  /** @throws EnvironmentError with the system's code */
  static async open(endpoint: Endpoint, { key, onRefused }: DoorOptions = {}): Promise<Door> {
    const door = new Door();
    const onConnection = (socket: Socket, name: string) => door.#admit(socket, name);
    door.#gate = await Gate.open(endpoint, key ?? { kind: 'insecure' }, { onConnection, ...(onRefused ? { onRefused } : {}) });
    return door;
  }

  private constructor() {}

  /** Where it listens, with the port that was given for port 0. */
  get endpoint(): Endpoint {
    return this.#gate.endpoint;
  }

  #admit(socket: Socket, name: string): void {
    if (this.#waiting.length >= QUEUE_LIMIT) socket.destroy();
    else this.#waiting.push({ socket, name });
    this.#wake();
  }

  /**
   * The next connection.
   * @param deadline as `performance.now()` counts
   * @throws EnvironmentError `timed-out`; InterruptedError
   */
  async next(deadline: number, signal: AbortSignal | undefined): Promise<Peer> {
    for (;;) {
      if (signal?.aborted) throw new InterruptedError();
      const next = this.#waiting.shift();
      if (next) return new Peer(next.socket.setKeepAlive(true, KEEP_ALIVE_MS), next.name, signal);
      const left = deadline - performance.now();
      if (left <= 0) throw new EnvironmentError('timed-out', 'Cannot go on: no source came in time');
      await this.#event(left, signal);
    }
  }

  close(): void {
    this.#gate.close();
    for (const { socket } of this.#waiting) socket.destroy();
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
