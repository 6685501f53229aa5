import type { Socket } from 'node:net';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import type { TimerHandle } from '../../formats/world/time.ts';
import { after, clock, stopTimer } from '../../formats/world/waiting.ts';
import type { Endpoint } from '../trust/endpoint.ts';
import { Gate } from '../trust/gate.ts';
import { blockOf, GuessLimit } from '../trust/guess-limit.ts';
import type { OnRefused } from '../trust/refusals.ts';
import { KEEP_ALIVE_MS, Peer } from './peer.ts';
import type { RelayKey } from './relay-key.ts';

/** Connections that may wait while another one is served. */
const QUEUE_LIMIT = 16;
/** Time after which a silent peer is cut off if others wait; otherwise the peer has longer. */
const SILENCE_MS = 10_000;
/** Length of one step of a wait, since timers take at most 2^31 - 1 ms. */
const WAIT_STEP_MS = 60_000;

export interface DoorOptions {
  /** Speak TLS, with this key. */
  key?: RelayKey;
  /** Called for peers without the right key. */
  onRefused?: OnRefused;
}

/** Hands out the connections of a gate one by one; connections from another address than the last come first. */
export class Door {
  readonly #waiting: { socket: Socket; name: string }[] = [];
  /** The last connection that was handed out, with its origin and time. */
  #served: { socket: Socket; origin: string; address: string; since: number } | undefined;
  #hurry: TimerHandle | undefined;
  #gate!: Gate;
  /** Limits guesses of passwords; a peer that has to wait does not delay others. */
  readonly #guesses = new GuessLimit();
  readonly #delayed = new Set<Socket>();
  #wake: () => void = () => {};

  /** @throws EnvironmentError with the system's code */
  static async open(endpoint: Endpoint, { key, onRefused }: DoorOptions = {}): Promise<Door> {
    const door = new Door();
    const onConnection = (socket: Socket, name: string) => door.#admit(socket, name);
    door.#gate = await Gate.open(endpoint, key ?? { kind: 'insecure' }, {
      onConnection,
      onRefused,
    });
    return door;
  }

  private constructor() {}

  /** The address on which the door listens, with the real port for port 0. */
  get endpoint(): Endpoint {
    return this.#gate.endpoint;
  }

  /** Notes whether the last peer knew the password. */
  noteGuess(isRight: boolean): void {
    const address = this.#served?.address ?? '';
    if (isRight) this.#guesses.right(address);
    else this.#guesses.wrong(address);
  }

  #admit(socket: Socket, name: string): void {
    const wait = this.#guesses.admit(socket.remoteAddress ?? '');
    if (wait === undefined || !this.#hasRoomFor(socket)) socket.destroy();
    else if (wait === 0) this.#enqueue(socket, name);
    else {
      this.#delayed.add(socket);
      const enqueue = () => {
        this.#delayed.delete(socket);
        this.#enqueue(socket, name);
      };
      const timer = after(wait, enqueue, { keepsAlive: false });
      socket.once('close', () => {
        stopTimer(timer);
        this.#delayed.delete(socket);
      });
    }
  }

  /**
   * Whether the queue has room for a connection. In a full queue the last connection of the most frequent origin gives
   * its place to another origin: a flood shuts out nobody from elsewhere.
   */
  #hasRoomFor(socket: Socket): boolean {
    const queue = [...this.#waiting.map((each) => each.socket), ...this.#delayed];
    if (queue.length < QUEUE_LIMIT) return true;
    const crowd = crowdIn(queue);
    const last = crowd.at(-1);
    if (crowd.length < 2 || last === undefined || originOf(crowd[0]) === originOf(socket)) return false;
    const place = this.#waiting.findIndex((each) => each.socket === last);
    if (place >= 0) this.#waiting.splice(place, 1);
    this.#delayed.delete(last);
    last.destroy();
    return true;
  }

  #enqueue(socket: Socket, name: string): void {
    this.#waiting.push({ socket, name });
    this.#wake();
    this.#hurryServed();
  }

  /**
   * Waits for the next connection.
   * @param deadline in the time of `clock()`
   * @throws EnvironmentError `timed-out`; InterruptedError
   */
  async next(deadline: number, signal: AbortSignal | undefined): Promise<Peer> {
    for (;;) {
      if (signal?.aborted) throw new InterruptedError();
      const next = this.#takeWaiting();
      if (next) return new Peer(next.socket.setKeepAlive(true, KEEP_ALIVE_MS), next.name, signal);
      const left = deadline - clock();
      if (left <= 0) throw new EnvironmentError('timed-out', 'Cannot go on: no source connected in time');
      await this.#event(left, signal);
    }
  }

  close(): void {
    stopTimer(this.#hurry);
    this.#gate.close();
    for (const { socket } of this.#waiting) socket.destroy();
    for (const socket of this.#delayed) socket.destroy();
  }

  #takeWaiting(): { socket: Socket; name: string } | undefined {
    const other = this.#waiting.findIndex(({ socket }) => originOf(socket) !== this.#served?.origin);
    const [next] = this.#waiting.splice(Math.max(0, other), 1);
    if (!next) return undefined;
    this.#served = {
      socket: next.socket,
      origin: originOf(next.socket),
      address: next.socket.remoteAddress ?? '',
      since: clock(),
    };
    if (this.#waiting.length > 0) this.#hurryServed();
    else stopTimer(this.#hurry);
    return next;
  }

  /** Cuts off the last peer if it stays silent while others wait. */
  #hurryServed(): void {
    const served = this.#served;
    stopTimer(this.#hurry);
    if (!served || served.socket.bytesRead > 0) return;
    const left = Math.max(0, served.since + SILENCE_MS - clock());
    const hurry = () => served.socket.bytesRead === 0 && served.socket.destroy();
    this.#hurry = after(left, hurry, { keepsAlive: false });
  }

  #event(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        stopTimer(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = after(Math.min(ms, WAIT_STEP_MS), wake);
      signal?.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
  }
}

function originOf({ remoteAddress = '' }: Socket): string {
  return blockOf(remoteAddress);
}

/** The connections of the origin that has the most of them. */
function crowdIn(sockets: readonly Socket[]): readonly Socket[] {
  const crowds = new Map<string, Socket[]>();
  for (const socket of sockets) {
    const origin = originOf(socket);
    crowds.set(origin, [...(crowds.get(origin) ?? []), socket]);
  }
  return [...crowds.values()].reduce((most, crowd) => (crowd.length > most.length ? crowd : most), []);
}
