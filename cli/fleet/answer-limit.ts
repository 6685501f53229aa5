import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { EnvironmentError } from '../../formats/errors.ts';
import { GIB, MIB } from '../../formats/sizes.ts';

/**
 * Maximum size, in bytes, of an answer: one with five jobs and their results is shorter, even if each of their files is
 * damaged.
 */
const ANSWER_LIMIT = 32 * MIB;
/** Maximum memory that this process may have for all answers: results of some 400,000 files. */
const MEMORY_LIMIT = GIB;
const LOOK_MS = 20;
/** Packages that talk to the server of a queue, in a stack. */
const CLIENTS =
  /node_modules[\\/](@?ioredis|bullmq|redis-parser|standard-as-callback|pg|pg-[a-z]+|postgres-[a-z]+)[\\/]/;
/** Maximum number of characters of a client's message that are shown. */
const SHOWN_CHARACTERS = 200;
/** Channel on which Node publishes each connection that `connect` makes. */
const OPENED = 'net.client.socket';

interface Watched {
  socket: Socket;
  /** Bytes sent on the connection. */
  sent: number;
  /** Bytes received before the last bytes were sent. */
  before: number;
}

/**
 * Stops reading from the connections of this process when an answer is longer than any from a queue. The clients of
 * queue servers keep an answer in memory until its end, which may never come, and have no limit of their own.
 */
export class AnswerLimit {
  /** Rejects with EnvironmentError `no-queue`. */
  readonly exceeded: Promise<never>;
  isExceeded = false;
  readonly #watched = new Set<Watched>();
  readonly #timer: NodeJS.Timeout;
  readonly #limits: { answer: number; memory: number };
  #reject: (error: Error) => void = () => {};

  constructor(limits: { answer?: number; memory?: number } = {}) {
    this.#limits = { answer: ANSWER_LIMIT, memory: MEMORY_LIMIT, ...limits };
    this.exceeded = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // The failure may come when nobody waits for it.
    this.exceeded.catch(() => {});
    subscribe(OPENED, this.#opened);
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  end(): void {
    unsubscribe(OPENED, this.#opened);
    clearInterval(this.#timer);
  }

  readonly #opened = (message: unknown): void => {
    this.watch((message as { socket: Socket }).socket);
  };

  watch(socket: Socket): void {
    const watched = { socket, sent: 0, before: 0 };
    this.#watched.add(watched);
    socket.once('close', () => this.#watched.delete(watched));
  }

  #look(): void {
    const { answer, memory } = this.#limits;
    for (const watched of this.#watched) {
      const { bytesRead, bytesWritten } = watched.socket;
      if (bytesWritten !== watched.sent) Object.assign(watched, { sent: bytesWritten, before: bytesRead });
      else if (bytesRead - watched.before > answer) this.#refuse(`its answer has more than ${answer} bytes`);
    }
    const { heapUsed, external } = process.memoryUsage();
    // An answer can make a client ask again before it has ended, so that the count above begins anew.
    if (heapUsed + external > memory) this.#refuse(`its answers take more than ${memory} bytes of memory`);
  }

  /**
   * Takes an uncaught error of a queue's client, which an answer that does not fit its question causes. @returns
   * whether the error is one
   */
  takeUncaught(error: unknown): boolean {
    const { message, stack = '' } = error instanceof Error ? error : new Error();
    if (!CLIENTS.test(stack)) return false;
    this.#refuse(`its answer does not fit the question (${message.split('\n')[0].slice(0, SHOWN_CHARACTERS)})`);
    return true;
  }

  #refuse(why: string): void {
    this.isExceeded = true;
    this.#reject(new EnvironmentError('no-queue', `Cannot use the queue: ${why}`));
    this.end();
    // Clients would take a closed connection for a failure of the network, and some have no handler for that.
    for (const { socket } of this.#watched) socket.pause();
  }
}
