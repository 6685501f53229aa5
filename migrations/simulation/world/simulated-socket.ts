import { Socket } from 'node:net';
import { errorWithCode } from '../../wire/network-error.ts';
import type { Subject, Timeline } from './timeline.ts';

/** Time after which the system itself ends a connection whose other end does not answer. */
const SYSTEM_GIVES_UP_MS = 100_000;

/** Bytes that the system takes before a writer has to wait. */
const SEND_BUFFER = 128 * 1024;

export type HostName = 'source' | 'target';

/** The owner of a socket. */
export interface SocketOwner extends Subject {
  readonly host: { readonly name: HostName };
  readonly sockets: Set<SimulatedSocket>;
}

/** The network between two sockets. */
export interface Carrier {
  readonly timeline: Timeline;
  /** Frames that arrive in place of one, with their delays; undefined when the link breaks instead. */
  carry(bytes: Buffer, from: SimulatedSocket): { frames: Buffer[]; ms: number } | undefined;
  /** Time that the end or the reset of a connection takes to arrive, in ms. */
  latency(): number;
  /** Called for each piece that a process is given. */
  onTaken?: ((bytes: Buffer, by: SocketOwner) => void) | undefined;
}

/** One end of a connection. It is a `Socket`, so that it is used like real ones. */
export class SimulatedSocket extends Socket {
  readonly owner: SocketOwner;
  readonly #carrier: Carrier;
  other!: SimulatedSocket;
  /** Bytes written here vanish: the other end does not exist any more, or cannot be reached. */
  isDeaf = false;
  /** There is no other end: the connection is about to fail. */
  isAlone = false;
  readonly #waiting: { bytes: Buffer | null }[] = [];
  #isWanted = false;
  #onWay = 0;
  #blocked: (() => void) | undefined;
  #lastArrival = 0;
  #isKeptAlive = false;

  constructor(owner: SocketOwner, carrier: Carrier) {
    super({ allowHalfOpen: false });
    this.owner = owner;
    this.#carrier = carrier;
    owner.sockets.add(this);
  }

  /** Frames are written one by one: `_writev` of real sockets needs a handle of the system. */
  override _writev = undefined as never;

  override _read(): void {
    this.#isWanted = true;
    this.#handOut();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const bytes = Buffer.from(chunk);
    this.#onWay += bytes.length;
    const carried = this.isDeaf ? undefined : this.#carrier.carry(bytes, this);
    if (carried) for (const frame of carried.frames) this.#send(carried.ms, frame);
    // As with real sockets, a write ends at once while the system's buffer has room.
    if (this.#onWay <= SEND_BUFFER) process.nextTick(done);
    else this.#blocked = () => this.#carrier.timeline.add(0, this.owner, () => done());
    // Lost bytes count as under way for ever, as a peer that is gone takes nothing any more.
    if (carried) this.#arriveLater(carried.ms, () => this.#taken(bytes.length));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send(this.#carrier.latency(), null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.owner.sockets.delete(this);
    if (!this.isDeaf) {
      const { other } = this;
      // A socket that is destroyed with unread bytes resets the connection; any other ends it.
      if (this.#waiting.length > 0) this.#arriveLater(this.#carrier.latency(), () => other.reset());
      else this.#send(this.#carrier.latency(), null);
    }
    this.isDeaf = true;
    done(error);
    process.nextTick(() => this.emit('close', error !== null));
  }

  /** Resets the connection, and tells this end. */
  reset(): void {
    if (this.destroyed || this.owner.isGone) return;
    this.isDeaf = true;
    this.#carrier.timeline.add(0, this.owner, () => this.destroy(errorWithCode('ECONNRESET', 'reset')));
  }

  /** Sets whether the system looks from time to time whether the other host is there. */
  override setKeepAlive(enable = true): this {
    this.#isKeptAlive = enable;
    return this;
  }

  /** To be called when the process of this end is gone. */
  abandon(how: 'killed' | 'silently'): void {
    this.owner.sockets.delete(this);
    if (this.isAlone) return;
    const { other } = this;
    const { timeline } = this.#carrier;
    if (how === 'silently' && other.#isKeptAlive)
      timeline.addQuietAt(timeline.now + SYSTEM_GIVES_UP_MS, () => other.reset());
    if (how === 'silently' || this.isDeaf) other.isDeaf = true;
    else if (this.#waiting.length > 0) this.#arriveLater(this.#carrier.latency(), () => other.reset());
    else this.#send(this.#carrier.latency(), null);
    this.isDeaf = true;
  }

  /** Does work after a while, but not before earlier work: TCP keeps the order, however long each piece takes. */
  #arriveLater(ms: number, work: () => void): void {
    const { timeline } = this.#carrier;
    this.#lastArrival = Math.max(this.#lastArrival, timeline.now + ms);
    timeline.addQuietAt(this.#lastArrival, work);
  }

  #send(ms: number, bytes: Buffer | null): void {
    if (this.isAlone) return;
    const { other } = this;
    this.#arriveLater(ms, () => {
      if (other.destroyed || other.owner.isGone) return;
      if (other.#isCut) return;
      other.#carrier.timeline.add(0, other.owner, () => other.#take(bytes));
    });
  }

  /** Nothing reaches this end any more. */
  #isCut = false;

  /** Cuts this end off: from now on nothing reaches it, and nothing from it reaches the other end. */
  cutOff(): void {
    this.#isCut = true;
    this.isDeaf = true;
    const { timeline } = this.#carrier;
    timeline.addQuietAt(timeline.now + SYSTEM_GIVES_UP_MS, () => this.reset());
  }

  #take(bytes: Buffer | null): void {
    if (bytes) this.#carrier.onTaken?.(bytes, this.owner);
    this.#waiting.push({ bytes });
    this.#handOut();
  }

  #handOut(): void {
    while (this.#isWanted && this.#waiting.length > 0 && !this.destroyed) {
      const { bytes } = this.#waiting.shift() as { bytes: Buffer | null };
      this.#isWanted = this.push(bytes);
      // Real sockets do so, too: a socket that nobody reads ends as well.
      if (bytes === null) this.read(0);
    }
  }

  #taken(bytes: number): void {
    this.#onWay -= bytes;
    if (this.#onWay > SEND_BUFFER) return;
    const go = this.#blocked;
    this.#blocked = undefined;
    if (go && !this.owner.isGone) go();
  }
}
