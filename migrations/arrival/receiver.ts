import type { Duplex } from 'node:stream';
import { InterruptedError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import type { DecisionLog } from '../hand-over/decision-record.ts';
import type { TargetHost, TargetMachine } from '../machine/machine.ts';
import { loadZstd, type Zstd } from '../pages/zstd.ts';
import { DEFAULT_WINDOW, MAX_DISK_PIECE, MAX_PAGES_PAYLOAD, type TimeOuts } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import type { Capabilities } from '../wire/messages.ts';
import { MigrationError, reasonOf } from '../wire/migration-error.ts';
import { Arrival } from './arrival.ts';
import { type Greeting, strayStream, welcome } from './greeting.ts';
import { type CustodyOptions, TargetCustody } from './target-custody.ts';
import { TargetSession } from './target-session.ts';

/** Options for receiving a machine. */
export interface ReceiverOptions extends CustodyOptions {
  /** Makes the log of this side's decisions about a migration. */
  logFor: (migration: string) => DecisionLog;
  /** Streams of one link at most; 4 by default. */
  streams?: number;
  /** Time-outs of this side. */
  timeOuts?: TimeOuts;
}

/** Time for which a closed receiver waits for its source. */
const FAREWELL_MS = 10_000;
const FAREWELL_LOOK_MS = 10;

/** Waits for one machine to arrive, over as many links as it takes. */
export class Receiver<M extends TargetMachine = TargetMachine> {
  readonly #host: TargetHost<M>;
  readonly #options: ReceiverOptions;
  readonly #zstd: Zstd | undefined;
  readonly #custody: TargetCustody<M>;
  #arrival: Arrival | undefined;
  #session: TargetSession | undefined;
  /** Settles when the link of the session has ended, with all consequences. */
  #served: Promise<void> = Promise.resolve();
  /** Only a machine that is arriving already is accepted. */
  #isClosed = false;

  private constructor(host: TargetHost<M>, options: ReceiverOptions, zstd: Zstd | undefined) {
    this.#host = host;
    this.#options = options;
    this.#zstd = zstd;
    this.#custody = new TargetCustody(host, options, () => this.#endLink());
  }

  /** Prepares for one machine. @param host makes the machine that takes the arriving pages */
  static async create<M extends TargetMachine>(host: TargetHost<M>, options: ReceiverOptions): Promise<Receiver<M>> {
    return Receiver.createWith(host, options, await loadZstd());
  }

  /** `create` for callers that have loaded zstd. @internal */
  static createWith<M extends TargetMachine>(
    host: TargetHost<M>,
    options: ReceiverOptions,
    zstd: Zstd | undefined,
  ): Receiver<M> {
    return new Receiver(host, options, zstd);
  }

  /** Resolves with the machine once it belongs to this side; rejects if the migration was cancelled or given up. */
  get arrived(): Promise<M> {
    return this.#custody.arrived;
  }

  /** No machine is under way. */
  get isIdle(): boolean {
    return this.#arrival === undefined || this.#arrival.state === 'waiting' || this.#arrival.state === 'greeted';
  }

  /**
   * Whether a machine is arriving over a link. A machine whose link is lost is kept, but does not block another one.
   */
  get isBusy(): boolean {
    return this.isIdle || this.#arrival?.state === 'receiving';
  }

  /**
   * Whether this side has promised to run a machine that has arrived whole. Only the source's decision, also out of its
   * record, can end the promise.
   */
  get hasPromised(): boolean {
    return this.#arrival?.state === 'ready' || this.#arrival?.state === 'in-doubt';
  }

  /** Serves a trusted connection. Resolves at its end; never rejects for faults of the peer. */
  async accept(stream: Duplex, peer: string): Promise<void> {
    await welcome(stream, {
      capabilities: capabilitiesOf(this.#options, this.#zstd),
      room: { bytes: this.#host.maxPages * PAGE_SIZE, machines: this.isIdle && !this.#isClosed ? 1 : 0 },
      timeOuts: this.#options.timeOuts,
      serve: (greeting) => this.serve(greeting, peer),
      onRefused: (message) => this.#custody.tell({ event: 'refused', peer, message }),
    });
  }

  /** Serves a connection after its greeting, until its end. @internal */
  serve(greeting: Greeting, peer: string): Promise<void> {
    if (greeting.kind === 'disk') return this.#takeDisk(greeting);
    return greeting.kind === 'join' ? this.#join(greeting) : this.#greet(greeting, peer);
  }

  /** Whether a stream with this token belongs to the link that is served. @internal */
  owns(token: string): boolean {
    return this.#session?.token === token;
  }

  /**
   * Ends receiving: a machine that is not whole is given up. Waits for a source that still has to decide, or to learn
   * that its machine runs here; without the answer it would ask for ever. Connections have to be accepted until this
   * resolves, so that the source can connect again.
   * @param withinMs longest wait; afterwards, the answer about a ready machine is in the record only
   */
  async close(withinMs = FAREWELL_MS): Promise<void> {
    this.#isClosed = true;
    // A machine that is not whole yet, though its seal may have come, is not promised any more.
    if (this.#arrival && !this.hasPromised && this.#arrival.state !== 'running')
      this.#arrival.failure ??= new InterruptedError();
    for (const end = clock() + withinMs; this.#isAwaited && clock() < end; ) await sleep(FAREWELL_LOOK_MS);
    // The present link ends first.
    await this.#endLink();
    if (!this.#arrival) this.#custody.fail(new InterruptedError());
    else if (this.#arrival.may('give-up') && this.#arrival.state !== 'in-doubt')
      // If this cannot be written, the record still says `receiving`.
      await this.#custody.giveUp(this.#arrival, new InterruptedError()).catch(() => {});
  }

  /** Whether the source needs an answer of this side. */
  get #isAwaited(): boolean {
    const isOwed = this.#arrival?.state === 'ended' && this.#arrival.owesAnswer;
    return this.hasPromised || isOwed || (this.#arrival?.state === 'running' && !this.#arrival.isKnownToRun);
  }

  async #greet({ channel, hello }: Greeting & { kind: 'hello' }, peer: string): Promise<void> {
    const arrival = this.#arrivalOf(hello.migration);
    if (hello.attempt <= arrival.attempt)
      throw new MigrationError(
        'hello-replayed',
        `Cannot take hello: attempt ${hello.attempt} of this migration was made already`,
      );
    arrival.attempt = hello.attempt;
    await this.#endLink();
    if (this.#arrival !== arrival || arrival.attempt !== hello.attempt)
      throw new MigrationError(
        'hello-replayed',
        `Cannot take hello: attempt ${hello.attempt} of this migration is not the last one`,
      );
    arrival.enter('hello');
    channel.limit = Number.POSITIVE_INFINITY;
    this.#custody.tell({ event: 'arriving', peer, machine: arrival.description?.name ?? '', attempt: hello.attempt });
    const own = capabilitiesOf(this.#options, this.#zstd);
    const capabilities = { ...own, zstd: own.zstd && hello.capabilities.zstd };
    const session = new TargetSession(this.#custody, arrival, channel, peer, capabilities, this.#zstd);
    this.#session = session;
    this.#served = this.#serve(arrival, session);
    await this.#served;
  }

  async #serve(arrival: Arrival, session: TargetSession): Promise<void> {
    try {
      await session.run();
    } catch (error) {
      await session.stop();
      this.#session = undefined;
      await this.#custody.onLinkEnd(arrival, error as Error);
      throw error;
    }
  }

  /**
   * Ends the old link. A source that connects again has noticed the end of the old link; this side may not have, or
   * still handles data from it.
   */
  async #endLink(): Promise<void> {
    this.#session?.destroy();
    await this.#served.catch(() => {});
  }

  #arrivalOf(migration: string): Arrival {
    const isFree = this.#arrival === undefined || this.#arrival.state === 'waiting';
    // Connections that were made before the end may send their greeting only now.
    if (isFree && this.#isClosed)
      throw new MigrationError('closed', 'Cannot take this machine: this side takes no more machines');
    if (isFree && this.#arrival?.migration !== migration)
      this.#arrival = new Arrival(migration, this.#options.logFor(migration));
    if (this.#arrival?.migration !== migration)
      throw new MigrationError('busy', 'Cannot take this machine: another one is arriving');
    return this.#arrival;
  }

  /** The link that a further connection belongs to. @throws MigrationError */
  #sessionOf(token: string): TargetSession {
    if (this.#session && this.owns(token)) return this.#session;
    throw strayStream();
  }

  /** Passes on a disk. If the copy breaks off, the source's QEMU reports it. */
  async #takeDisk({ channel, disk, token }: Greeting & { kind: 'disk' }): Promise<void> {
    const session = this.#sessionOf(token);
    channel.limit = MAX_DISK_PIECE;
    try {
      await session.serveDisk(channel, disk);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
    }
  }

  async #join({ channel, stream, token }: Greeting & { kind: 'join' }): Promise<void> {
    const session = this.#sessionOf(token);
    channel.limit = MAX_PAGES_PAYLOAD;
    try {
      await session.runStream(channel, stream);
    } catch (error) {
      if (!(error instanceof LinkError)) await channel.send('refuse', {}, reasonOf(error)).catch(() => {});
      // A link is useless without one of its streams.
      if (this.#arrival?.state !== 'running') session.destroy();
      throw error;
    }
  }
}

/** Capabilities of a target, as sent in its greeting. */
export function capabilitiesOf(
  { streams = 4 }: Pick<ReceiverOptions, 'streams'>,
  zstd: Zstd | undefined,
): Capabilities {
  return { zstd: zstd !== undefined, streams, window: DEFAULT_WINDOW };
}
