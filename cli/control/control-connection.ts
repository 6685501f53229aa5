import { once } from 'node:events';
import type { Socket } from 'node:net';
import { EnvironmentError } from '../../formats/errors.ts';
import type { KeptMachine } from './kept-machine.ts';
import { linesOf } from './lines.ts';
import { operate } from './operations.ts';
import { BEAT, BEAT_MS, errorToWire, isCancel, LINE_LIMIT, parseRequest } from './protocol.ts';

/** Maximum number of bytes that wait for a client to read them. */
const UNREAD_LIMIT = 256 * 1024;
/** Time in which a client has to read the last reply. */
const FAREWELL_MS = 1000;

/** One client of a control socket: its requests are carried out one after the other. */
export class ControlConnection {
  /** End of the client's last request, as `performance.now()` counts. */
  idleSince = performance.now();
  readonly #socket: Socket;
  readonly #kept: KeptMachine;
  #underWay: AbortController | undefined;

  constructor(socket: Socket, kept: KeptMachine) {
    this.#socket = socket;
    this.#kept = kept;
    // A client that is gone needs no answer.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.cancel());
  }

  /** Whether no request of the client is being carried out. */
  get isIdle(): boolean {
    return this.#underWay === undefined;
  }

  /** Serves the client until it ends the connection, or sends an invalid request. */
  async serve(): Promise<void> {
    let work = Promise.resolve();
    try {
      for await (const line of linesOf(this.#socket, LINE_LIMIT)) {
        if (isCancel(line)) this.cancel();
        else {
          await work;
          work = this.#carryOut(line);
        }
      }
      await work;
    } catch (error) {
      await work;
      this.#send(null, { ok: false, error: errorToWire(error) });
    }
    this.end();
  }

  cancel(): void {
    this.#underWay?.abort();
  }

  /** Closes the connection, and tells the client why. */
  dismiss(why: string): void {
    this.#send(null, { ok: false, error: errorToWire(new EnvironmentError('busy', why)) });
    this.end();
  }

  /** Ends the connection; replies that were written still go out, if the client reads them. */
  end(): void {
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), FAREWELL_MS).unref();
  }

  async #carryOut(line: string): Promise<void> {
    let id: number | null = null;
    const abort = new AbortController();
    this.#underWay = abort;
    // Beats show a waiting client that the machine's process does not hang.
    const beats = setInterval(() => this.#send(id, { event: BEAT }), BEAT_MS);
    try {
      if (this.#socket.destroyed) abort.abort();
      const request = parseRequest(line);
      id = request.id;
      const onEvent = (event: string, data: object) => this.#send(id, { event, ...data });
      const result = await operate(request.command, this.#kept, request, onEvent, abort.signal);
      this.#send(id, { ok: true, result });
    } catch (error) {
      this.#send(id, { ok: false, error: errorToWire(error) });
    } finally {
      clearInterval(beats);
      this.#underWay = undefined;
      this.idleSince = performance.now();
    }
    // A client that does not read gets no further answers either.
    if (!this.#socket.writableNeedDrain) return;
    await Promise.race([once(this.#socket, 'drain'), once(this.#socket, 'close')]).catch(() => {});
  }

  #send(id: number | null, reply: object): void {
    // A client that does not read gets no events.
    if (this.#socket.destroyed || ('event' in reply && this.#socket.writableLength > UNREAD_LIMIT)) return;
    this.#socket.write(`${JSON.stringify({ id, ...reply })}\n`);
  }
}
