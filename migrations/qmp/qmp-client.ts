import type { Socket } from 'node:net';
import { linesOf } from '../../formats/binary/lines.ts';
import {
  EnvironmentError,
  FormatError,
  InterruptedError,
  SavkitError,
  UnsupportedError,
} from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { parseJson } from '../../formats/values/json-text.ts';
import { checkShape, type Shape, text } from '../../formats/values/shape.ts';
import type { TimerHandle } from '../../formats/world/time.ts';
import { after, stopTimer } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { networkError } from '../wire/network-error.ts';
import { badQmp, type QmpEvent, readAnswer, readEvent, versionOf } from './qmp-messages.ts';

/** Maximum size, in bytes, of an answer; the longest ones, lists of devices and of block nodes, have some 100 KB. */
export const LINE_LIMIT = 16 * MIB;
/** Empty lines that are tolerated; QEMU sends none. */
const MOST_EMPTY = 1000;
/** QEMU answers within milliseconds, unless a disk hangs. */
const ANSWER_MS = 30_000;
const GREETING_MS = 5_000;

/** Limits of waiting for QEMU. */
export interface QmpWait {
  /** ms until an answer counts as missing; 30,000 by default. */
  withinMs?: number;
  /** Ends the waiting; the command itself is not taken back. */
  signal?: AbortSignal;
}

interface Waiting {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/**
 * A connection to QEMU's machine protocol (QMP): JSON, one message a line. A QMP socket serves one client at a time.
 * QEMU's data is checked like any other input: a line has a limit, and an answer a shape.
 */
export class QmpClient {
  /** Version in QEMU's greeting: `7.2.22`. */
  readonly version: string;
  /** Path of the socket. */
  readonly path: string;
  /** Resolves, never rejects, when the connection has ended: with the reason. */
  readonly closed: Promise<SavkitError>;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #end: SavkitError | undefined;
  #lastId = 0;

  private constructor(path: string, version: string, socket: Socket, messages: AsyncIterable<unknown>) {
    this.path = path;
    this.version = version;
    this.#socket = socket;
    this.closed = this.#read(messages);
  }

  /**
   * Connects, and waits for the greeting.
   * @throws EnvironmentError where no QEMU answers, `qmp-busy` where another client has the socket;
   * MigrationError `bad-qmp` where something else answers; InterruptedError
   */
  static async connect(path: string, { withinMs = GREETING_MS, signal }: QmpWait = {}): Promise<QmpClient> {
    const socket = await connectSocket(path);
    const messages = messagesOf(socket);
    const stop = () => socket.destroy();
    const timer = after(withinMs, stop);
    signal?.addEventListener('abort', stop);
    // An abort while connecting had no listener.
    if (signal?.aborted) stop();
    try {
      const first = await messages.next();
      if (first.done) throw silent(path);
      const client = new QmpClient(path, versionOf(first.value), socket, messages);
      await client.execute('qmp_capabilities', {}, { withinMs });
      return client;
    } catch (error) {
      socket.destroy();
      if (signal?.aborted) throw new InterruptedError();
      // The connection has ended, from this side or from QEMU's, before the greeting.
      throw error instanceof SavkitError ? error : silent(path);
    } finally {
      stopTimer(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  /**
   * Executes a command in QEMU.
   * @throws UnsupportedError `qmp-refused` with QEMU's message; EnvironmentError where no answer comes;
   * InterruptedError
   */
  async execute(command: string, args: object = {}, wait: QmpWait = {}): Promise<void> {
    await this.#send(command, args, wait);
  }

  /** Executes a command that returns a value. @throws MigrationError `bad-qmp` for an answer of another shape */
  async ask<T>(command: string, shape: Shape<T>, args: object = {}, wait: QmpWait = {}): Promise<T> {
    return checkShape(await this.#send(command, args, wait), shape, (why, field) =>
      badQmp(`in its answer to ${command}, ${why}`, field),
    );
  }

  async #send(command: string, args: object, { withinMs = ANSWER_MS, signal }: QmpWait): Promise<unknown> {
    if (this.#end) throw this.#end;
    if (signal?.aborted) throw new InterruptedError();
    const id = ++this.#lastId;
    let timer: TimerHandle | undefined;
    let abort: (() => void) | undefined;
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#waiting.set(id, { command, resolve, reject });
        timer = after(withinMs, () => reject(noAnswer(command, this.path, withinMs)));
        abort = () => reject(new InterruptedError());
        signal?.addEventListener('abort', abort, { once: true });
        this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
      });
    } finally {
      this.#waiting.delete(id);
      stopTimer(timer);
      if (abort) signal?.removeEventListener('abort', abort);
    }
  }

  /** Executes a command of the human monitor. @returns its output */
  hmp(line: string, wait: QmpWait = {}): Promise<string> {
    return this.ask('human-monitor-command', text(LINE_LIMIT), { 'command-line': line }, wait);
  }

  /** Calls a listener for each event from now on. @returns a function that ends this */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The connection has ended; QEMU may live on, and take another one. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Ends the connection; QEMU runs on. */
  close(): void {
    this.#socket.destroy();
  }

  async #read(messages: AsyncIterable<unknown>): Promise<SavkitError> {
    let reason: SavkitError = closedBy(this.path);
    try {
      for await (const message of messages) this.#take(message);
    } catch (error) {
      // A socket that was reset has ended like one that was closed.
      if (error instanceof SavkitError) reason = error;
    }
    this.#end = reason;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.values()) reject(reason);
    return reason;
  }

  #take(message: unknown): void {
    const event = readEvent(message);
    if (event) {
      for (const listener of this.#listeners) listener(event);
      return;
    }
    const { id, value, refusal } = readAnswer(message, this.#lastId);
    const waiting = this.#waiting.get(id);
    // An answer after its time-out is dropped.
    if (!waiting) return;
    if (refusal === undefined) waiting.resolve(value);
    else waiting.reject(new UnsupportedError('qmp-refused', `QEMU refuses ${waiting.command}: ${refusal}`));
  }
}

/** @throws MigrationError `bad-qmp` */
async function* messagesOf(socket: Socket): AsyncGenerator<unknown, void> {
  let empty = 0;
  for await (const line of tooLongRefused(linesOf(socket, LINE_LIMIT, 'drop'))) {
    if (line.trim() === '') {
      // Endless empty lines would leave no time for anything else.
      if (++empty > MOST_EMPTY) throw badQmp('nothing but empty lines comes from its socket; is it a QMP socket?');
      continue;
    }
    empty = 0;
    yield parseJson(line, () => badQmp('its socket does not send JSON; is it a QMP socket?'));
  }
}

async function* tooLongRefused(lines: AsyncIterable<string>): AsyncGenerator<string, void> {
  try {
    yield* lines;
  } catch (error) {
    throw error instanceof FormatError ? badQmp(`a line from its socket has more than ${LINE_LIMIT} bytes`) : error;
  }
}

function connectSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = world.sockets.connect(path);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      // Errors show where the socket is read.
      socket.on('error', () => {});
      resolve(socket);
    });
    socket.once('error', (error) => reject(networkError(error, `connect to QEMU at ${path}`)));
  });
}

function silent(path: string): EnvironmentError {
  return new EnvironmentError(
    'qmp-busy',
    `Cannot talk to QEMU at ${path}: it sends no greeting; another client may have this socket, or it is no QMP ` +
      'socket (-qmp can be given twice)',
  );
}

function closedBy(path: string): EnvironmentError {
  return new EnvironmentError('qmp-closed', `Cannot talk to QEMU at ${path}: it has ended, or closed the connection`);
}

function noAnswer(command: string, path: string, ms: number): EnvironmentError {
  return new EnvironmentError(
    'qmp-silent',
    `Cannot talk to QEMU at ${path}: it has not answered ${command} for ${ms / 1000} s`,
  );
}
