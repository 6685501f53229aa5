import type { Duplex } from 'node:stream';
import { InterruptedError, type SavkitError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { after, clock, sleep } from '../../formats/world/waiting.ts';
import type { DecisionLog, TargetDecision } from '../hand-over/decision-record.ts';
import { differenceOf, type MachineDescription } from '../machine/description.ts';
import type { TargetHost, TargetMachine } from '../machine/machine.ts';
import { PageSpace } from '../machine/page-space.ts';
import { loadZstd, type Zstd } from '../pages/zstd.ts';
import { DEFAULT_WINDOW, MAX_DISK_PIECE, MAX_PAGES_PAYLOAD, type TimeOuts } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import type { Capabilities } from '../wire/messages.ts';
import { MigrationError, reasonOf } from '../wire/migration-error.ts';
import { tellUndisturbed } from '../wire/tell-undisturbed.ts';
import { Arrival } from './arrival.ts';
import { type Greeting, strayStream, welcome } from './greeting.ts';
import type { ReceiveEvent } from './reception.ts';
import { TargetSession } from './target-session.ts';

/** How a machine is received. */
export interface ReceiverOptions {
  /** Where this side writes its decisions about a migration. */
  logFor: (migration: string) => DecisionLog;
  /** What is on record of a migration that this process knows nothing of. */
  recall?: (migration: string) => Promise<TargetDecision | 'unknown'>;
  /** Streams of one link at most; 4 by default. */
  streams?: number;
  /** How long a machine whose link broke is kept, in ms; 10 minutes by default. */
  keepMs?: number;
  /** How long this side waits for what. */
  timeOuts?: TimeOuts;
  /** Called for each step of the way. */
  onEvent?: (event: ReceiveEvent) => void;
}

const KEEP_MS = 10 * 60_000;
/** How often a record is looked at, in which `migrate --resolve` may have written an answer. */
const LOOK_EVERY_MS = 500;

/** How long a receiver that is closed stays for its source. */
const FAREWELL_MS = 10_000;
const FAREWELL_LOOK_MS = 10;

/** Waits for one machine to arrive, over as many links as it takes. */
export class Receiver<M extends TargetMachine = TargetMachine> {
  /** The machine, when it is this side's. Rejects when it will not come: cancelled, or given up. */
  readonly arrived: Promise<M>;
  readonly #host: TargetHost<M>;
  readonly #options: ReceiverOptions;
  readonly #zstd: Zstd | undefined;
  #arrival: Arrival | undefined;
  #session: TargetSession | undefined;
  /** Settles when the link of the session has ended, and what follows from that is done. */
  #served: Promise<void> = Promise.resolve();
  /** No machine is waited for any more, but for one that is under way. */
  #isClosed = false;
  #resolve!: (machine: TargetMachine) => void;
  #reject!: (error: Error) => void;

  private constructor(host: TargetHost<M>, options: ReceiverOptions, zstd: Zstd | undefined) {
    this.#host = host;
    this.#options = options;
    this.#zstd = zstd;
    this.arrived = new Promise((resolve, reject) => {
      // Every machine here is one that the host has made.
      this.#resolve = resolve as (machine: TargetMachine) => void;
      this.#reject = reject;
    });
    this.arrived.catch(() => {});
  }

  /** Makes ready for one machine. @param host makes the machine that takes what arrives */
  static async create<M extends TargetMachine>(host: TargetHost<M>, options: ReceiverOptions): Promise<Receiver<M>> {
    return Receiver.createWith(host, options, await loadZstd());
  }

  /** The same with zstd that is loaded already. @internal */
  static createWith<M extends TargetMachine>(
    host: TargetHost<M>,
    options: ReceiverOptions,
    zstd: Zstd | undefined,
  ): Receiver<M> {
    return new Receiver(host, options, zstd);
  }

  /** No machine is under way. */
  get isIdle(): boolean {
    return this.#arrival === undefined || this.#arrival.state === 'waiting' || this.#arrival.state === 'greeted';
  }

  /** Pages of a machine come, or are about to. A machine whose link is lost is kept, but takes nobody's turn. */
  get isBusy(): boolean {
    return this.isIdle || this.#arrival?.state === 'receiving';
  }

  /**
   * A machine is whole here, and runs as soon as its source says so: nobody but the source, or who knows what it has
   * decided, can take that back.
   */
  get hasPromised(): boolean {
    return this.#arrival?.state === 'ready' || this.#arrival?.state === 'in-doubt';
  }

  /**
   * Takes a connection, which has shown that it is trusted. Resolves at its end; never rejects for what the peer does.
   */
  async accept(stream: Duplex, peer: string): Promise<void> {
    await welcome(stream, {
      capabilities: capabilitiesOf(this.#options, this.#zstd),
      room: { bytes: this.#host.maxPages * PAGE_SIZE, machines: this.isIdle && !this.#isClosed ? 1 : 0 },
      timeOuts: this.#options.timeOuts,
      serve: (greeting) => this.serve(greeting, peer),
      onRefused: (message) => this.tell({ event: 'refused', peer, message }),
    });
  }

  /** Serves a connection that has opened with such a greeting, until its end. @internal */
  serve(greeting: Greeting, peer: string): Promise<void> {
    if (greeting.kind === 'disk') return this.#takeDisk(greeting);
    return greeting.kind === 'join' ? this.#join(greeting) : this.#greet(greeting, peer);
  }

  /** Whether a stream with this token belongs to the link that is served. @internal */
  owns(token: string): boolean {
    return this.#session?.token === token;
  }

  /** @internal */
  tell(event: ReceiveEvent): void {
    tellUndisturbed(this.#options.onEvent, event);
  }

  /** @internal */
  async recall(migration: string): Promise<TargetDecision | 'unknown'> {
    return (await this.#options.recall?.(migration)) ?? 'unknown';
  }

  /** Checks a description, and makes or finds its machine. @returns whether it holds something already @internal */
  async takeIn(arrival: Arrival, peer: string, description: MachineDescription, rest: Uint8Array): Promise<boolean> {
    new PageSpace(description.regions, this.#host.maxPages);
    if (arrival.description) {
      const difference = differenceOf(arrival.description, description);
      if (difference !== undefined)
        throw new MigrationError('other-machine', `Cannot go on with another machine: ${difference}`);
    }
    arrival.log.describe(description.name, peer);
    const isNew = arrival.machine === undefined;
    if (isNew) await this.#checkIsNew(arrival);
    if (!arrival.may('describe')) arrival.enter('describe');
    if (isNew) {
      const machine = await this.#host.create(description, rest);
      void machine.ended?.then((error) => this.#onMachineEnded(arrival, error)).catch(this.#reject);
      await arrival.take(description, machine);
    }
    await arrival.decide('receiving');
    arrival.enter('describe');
    return !isNew || arrival.machine?.isSeeded === true;
  }

  /** A migration that an earlier process of this side has decided about is over: what it has written down stands. */
  async #checkIsNew({ migration }: Arrival): Promise<void> {
    const decision = await this.recall(migration);
    if (decision === 'unknown') return;
    const why = `this migration is on record here as ${decision}, by an earlier process; a new one can begin`;
    throw new MigrationError('is-over', `Cannot take this machine: ${why}`);
  }

  /** Takes the machine over, once; the decision is on disk before it moves. @internal */
  async start(arrival: Arrival): Promise<void> {
    if (!arrival.may('commit')) arrival.enter('commit');
    if (arrival.failure && arrival.state !== 'running') throw arrival.failure;
    if (arrival.state !== 'running') await arrival.decide('started');
    // `migrate --resolve` may have been quicker; what was launched is not launched again.
    arrival.enter('commit');
    if (arrival.machine) await this.#launch(arrival, arrival.machine);
  }

  /**
   * Ends the waiting: a machine that is not whole is given up. A source that still has to decide, or to hear that its
   * machine runs here, is waited for: it would ask for ever. For it to come again after a broken link, connections have
   * to be accepted until this resolves.
   * @param withinMs waits so long at most; a machine that is ready then waits for its answer on record
   */
  async close(withinMs = FAREWELL_MS): Promise<void> {
    this.#isClosed = true;
    for (const end = clock() + withinMs; this.#isAwaited && clock() < end; ) await sleep(FAREWELL_LOOK_MS);
    // What is under way comes to its end first.
    await this.#endLink();
    if (!this.#arrival) this.#reject(new InterruptedError());
    else if (this.#arrival.may('give-up') && this.#arrival.state !== 'in-doubt')
      // What can not be written down any more stands there already, as `receiving`.
      await this.#giveUp(this.#arrival, new InterruptedError()).catch(() => {});
  }

  /** The source needs this side to go on. */
  get #isAwaited(): boolean {
    const isOwed = this.#arrival?.state === 'ended' && this.#arrival.owesAnswer;
    return this.hasPromised || isOwed || (this.#arrival?.state === 'running' && !this.#arrival.isKnownToRun);
  }

  /**
   * The machine is this side's: it runs, unless it was paused, or is only kept here. One that does not start stays
   * this side's, paused: the source asks again, and has it tried again.
   */
  async #launch(arrival: Arrival, machine: TargetMachine): Promise<void> {
    const { isPaused } = arrival;
    if (arrival.isLaunched) return;
    if (!isPaused && machine.runs) await this.#start(machine);
    if (arrival.isLaunched) return;
    arrival.isLaunched = true;
    this.#resolve(machine);
    this.tell({ event: !machine.runs ? 'arrived-in-file' : isPaused ? 'arrived-paused' : 'running' });
  }

  async #start(machine: TargetMachine): Promise<void> {
    try {
      await machine.start();
    } catch (error) {
      this.tell({ event: 'not-started', message: (error as SavkitError).message });
      throw error;
    }
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
    this.tell({ event: 'arriving', peer, machine: arrival.description?.name ?? '', attempt: hello.attempt });
    const own = capabilitiesOf(this.#options, this.#zstd);
    const capabilities = { ...own, zstd: own.zstd && hello.capabilities.zstd };
    const session = new TargetSession(this, arrival, channel, peer, capabilities, this.#zstd);
    this.#session = session;
    this.#served = this.#serve(arrival, session);
    await this.#served;
  }

  async #serve(arrival: Arrival, session: TargetSession): Promise<void> {
    try {
      await session.run();
    } catch (error) {
      await session.stop();
      await this.#onSessionError(arrival, error as SavkitError);
      throw error;
    }
  }

  /**
   * A source that comes again has seen the end of its last link; this side may not have, or may still be busy with what
   * came over it.
   */
  async #endLink(): Promise<void> {
    this.#session?.destroy();
    await this.#served.catch(() => {});
  }

  #arrivalOf(migration: string): Arrival {
    const isFree = this.#arrival === undefined || this.#arrival.state === 'waiting';
    // Connections that were made before may only now say what they want.
    if (isFree && this.#isClosed)
      throw new MigrationError('closed', 'Cannot take this machine: this side waits for none any more');
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

  /** Its end is the hypervisors' matter: a copy that breaks off shows at the source. */
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
      // Without one of its streams a link is of no use.
      if (this.#arrival?.state !== 'running') session.destroy();
      throw error;
    }
  }

  /** A link has ended before the machine ran. */
  async #onSessionError(arrival: Arrival, error: SavkitError): Promise<void> {
    this.#session = undefined;
    if (arrival.state === 'ended') return this.#giveUp(arrival, error);
    const isRefused = arrival.state === 'greeted' && !(error instanceof LinkError);
    if (!isRefused) this.tell({ event: 'link-lost', message: error.message, state: arrival.state });
    const isOver = arrival.state === 'receiving' && !(error instanceof LinkError);
    if (isOver) return this.#giveUp(arrival, error);
    arrival.enter('link-lost');
    if (arrival.state === 'interrupted') this.#giveUpLater(arrival, error);
    if (arrival.state === 'in-doubt') this.#awaitAnswer(arrival);
  }

  /**
   * A machine that was promised, and can't run here any more: it never has, so this side may give it up, and tells the
   * source when that asks. One that is not whole fails by itself when it is to be.
   */
  async #onMachineEnded(arrival: Arrival, error: SavkitError): Promise<void> {
    arrival.failure = error;
    if (arrival.state === 'ready') await this.#endLink();
    if (arrival.state !== 'in-doubt') return;
    arrival.owesAnswer = true;
    await this.#giveUp(arrival, error);
  }

  async #giveUp(arrival: Arrival, error: Error): Promise<void> {
    if (arrival.state !== 'ended') arrival.enter('give-up');
    // What stands there, `receiving`, says the same; of one that was ready only the written word counts.
    try {
      if (arrival.machine) await arrival.decide('gave-up');
    } finally {
      arrival.machine?.discard();
      this.#reject(error);
    }
  }

  #giveUpLater(arrival: Arrival, error: SavkitError): void {
    const { attempt } = arrival;
    const giveUp = () => {
      if (arrival.state === 'interrupted' && arrival.attempt === attempt)
        this.#giveUp(arrival, error).catch(this.#reject);
    };
    after(this.#options.keepMs ?? KEEP_MS, giveUp, { keepsAlive: false });
  }

  /**
   * The machine is whole, but whether it may run is written elsewhere: until the source, or `migrate --resolve`, tells.
   */
  async #awaitAnswer(arrival: Arrival): Promise<void> {
    while (arrival.state === 'in-doubt') {
      await sleep(LOOK_EVERY_MS, { keepsAlive: false });
      const written = await arrival.log.read().catch(() => 'ready');
      if (arrival.state !== 'in-doubt') return;
      if (written === 'started' && arrival.machine) {
        arrival.enter('run');
        // Who has written it has told the source, or is about to.
        arrival.isKnownToRun = true;
        await this.#launch(arrival, arrival.machine).catch(this.#reject);
      } else if (written === 'gave-up')
        await this.#giveUp(arrival, new MigrationError('gave-up', 'The machine stays at the source'));
    }
  }
}

/** What a target can do, as it says in its greeting. */
export function capabilitiesOf(
  { streams = 4 }: Pick<ReceiverOptions, 'streams'>,
  zstd: Zstd | undefined,
): Capabilities {
  return { zstd: zstd !== undefined, streams, window: DEFAULT_WINDOW };
}
