import type { ShapeValue } from '../../formats/values/shape.ts';
import { clock } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { describeShape } from '../machine/description.ts';
import type { Zstd } from '../pages/zstd.ts';
import { carryBytes } from '../wire/carry-bytes.ts';
import type { FrameChannel } from '../wire/frame-channel.ts';
import { throwReason } from '../wire/inbox.ts';
import { MODEST_FRAME, PATIENCE } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import type { Capabilities, decisionShape } from '../wire/messages.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { type Frame, hashBytes, readMessage } from '../wire/payload.ts';
import type { Arrival } from './arrival.ts';
import { IncomingRounds } from './incoming-rounds.ts';
import { MachineSeal } from './machine-seal.ts';
import type { PageIntake } from './page-intake.ts';
import type { TargetCustody } from './target-custody.ts';

/** Number of hashes in one frame `leaves`. */
const LEAVES = MODEST_FRAME / 8;

/** One link of a migration at the target, with all its streams. */
export class TargetSession {
  /** Token that further streams of this link have to show. */
  readonly token: string = world.chance.bytes(16).toString('hex');
  readonly channel: FrameChannel;
  readonly #custody: TargetCustody;
  readonly #arrival: Arrival;
  readonly #peer: string;
  readonly #capabilities: Capabilities;
  readonly #rounds: IncomingRounds;
  readonly #seal: MachineSeal;
  readonly #others: FrameChannel[] = [];
  readonly #disks: FrameChannel[] = [];
  #intake: PageIntake | undefined;
  /** Time by which a frame other than a sign of life has to arrive. */
  #deadline = Number.POSITIVE_INFINITY;
  #isOver = false;
  #hasToldOfRunning = false;
  readonly #work: Promise<void>[] = [];

  constructor(
    custody: TargetCustody,
    arrival: Arrival,
    channel: FrameChannel,
    peer: string,
    capabilities: Capabilities,
    zstd: Zstd | undefined,
  ) {
    this.#custody = custody;
    this.#arrival = arrival;
    this.channel = channel;
    this.#capabilities = capabilities;
    this.#rounds = new IncomingRounds(custody, arrival, channel, zstd);
    this.#seal = new MachineSeal(custody, arrival, this.#rounds, channel);
    this.#peer = peer;
  }

  /**
   * Serves the control stream until the source, knowing that the machine runs, closes it. @throws LinkError, PeerError,
   * FormatError
   */
  run(): Promise<void> {
    return this.#note(this.#serve());
  }

  /** Serves one more stream of pages, until its end. */
  runStream(channel: FrameChannel, index: number): Promise<void> {
    return this.#note(this.#serveStream(channel, index));
  }

  /** Stops taking frames; resolves when no work is under way. The control stream stays open for a last message. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const channel of [...this.#others, ...this.#disks]) channel.destroy();
    this.#rounds.abandon();
    await Promise.allSettled(this.#work);
  }

  destroy(): void {
    this.channel.destroy();
    void this.stop();
  }

  #note(work: Promise<void>): Promise<void> {
    this.#work.push(work);
    return work;
  }

  async #serve(): Promise<void> {
    this.channel.startBeats();
    this.#noteSign();
    for (;;) {
      const frame = await this.#next();
      if (!frame) return;
      if (frame.name === 'beat') {
        if (clock() > this.#deadline)
          throw LinkError.silent(this.channel.timeOuts.frame * PATIENCE, 'more than signs of life');
        continue;
      }
      await this.#take(frame);
      this.#noteSign();
    }
  }

  /** Serves a connection of a disk until its end. @param disk number of the disk in the description */
  async serveDisk(channel: FrameChannel, disk: number): Promise<void> {
    const { machine, description } = this.#arrival;
    const disks = description?.hypervisor === 'qemu' ? description.disks.length : 0;
    if (!machine?.openDisk || disk >= disks || this.#isOver)
      throw new MigrationError('bad-stream', `Cannot take disk ${disk}: the machine has ${disks} that can be copied`);
    const stream = await machine.openDisk(disk);
    this.#disks.push(channel);
    await this.#acceptStream(channel).catch((error) => {
      // The link has ended while the disk was opened.
      stream.destroy();
      throw error;
    });
    await carryBytes(channel, stream, { onBytes: () => this.#noteSign() });
  }

  async #acceptStream(channel: FrameChannel): Promise<void> {
    await channel.send(
      'accept',
      {},
      { capabilities: this.#capabilities, token: this.token, hasPages: false, runs: true },
    );
    channel.startBeats();
  }

  async #serveStream(channel: FrameChannel, index: number): Promise<void> {
    if (index !== this.#others.length + 1 || index >= this.#capabilities.streams || !this.#rounds.isFirst)
      throw new MigrationError(
        'bad-stream',
        `Cannot take stream ${index}: expected ${this.#others.length + 1}, before the first round`,
      );
    this.#others.push(channel);
    this.#rounds.addStream();
    await this.#acceptStream(channel);
    let intake: PageIntake | undefined;
    for (;;) {
      const frame = await this.#receive(channel, 'pages');
      if (frame.name === 'beat') continue;
      throwReason(frame);
      intake ??= this.#rounds.intakeOf(channel, index);
      if (frame.name === 'pages') await intake.takePages(frame);
      else if (frame.name === 'barrier') await intake.takeBarrier(frame);
      else throw new MigrationError('unexpected', `Cannot take frame ${frame.name} on stream ${index}`);
    }
  }

  async #next(): Promise<Frame | undefined> {
    try {
      return await this.#receive(this.channel, 'the next frame of the migration');
    } catch (error) {
      if (!(error instanceof LinkError) || this.#arrival.state !== 'running') throw error;
      this.#arrival.isKnownToRun ||= error.isFarewell && this.#hasToldOfRunning;
      return undefined;
    }
  }

  /** Receives a frame, but not on a link that was given up: a newer link may be under way. */
  async #receive(channel: FrameChannel, expected: string): Promise<Frame> {
    const frame = await channel.receive(expected);
    if (this.#isOver) throw LinkError.lost();
    return frame;
  }

  /** Moves the deadline, after a frame or a piece of a disk has arrived. */
  #noteSign(): void {
    this.#deadline = clock() + this.channel.timeOuts.frame * PATIENCE;
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.name) {
      case 'describe':
        return this.#takeDescription(frame);
      case 'pages':
        return this.#ownIntake().takePages(frame);
      case 'barrier':
        return this.#ownIntake().takeBarrier(frame);
      case 'rest':
        return this.#seal.takeRest(frame);
      case 'seal':
        return this.#seal.takeSeal(frame);
      case 'commit':
        return this.#commit();
      case 'inquire':
        return this.#answer();
      case 'cancel':
        this.#arrival.enter('cancel');
        return throwReason(frame);
      case 'refuse':
        // A source refuses only before it has decided, so the machine stays there, whatever is ready here.
        if (this.#arrival.may('cancel')) this.#arrival.enter('cancel');
        return throwReason(frame);
      default:
        throw new MigrationError(
          'unexpected',
          `Cannot take frame ${frame.name}: the migration is ${this.#arrival.state}`,
        );
    }
  }

  async #takeDescription(frame: Frame): Promise<void> {
    if (this.#intake) throw new MigrationError('unexpected', 'Cannot take a second description');
    this.#arrival.written = undefined;
    const { description, rest } = readMessage(frame, describeShape);
    const hasPages = await this.#custody.takeIn(this.#arrival, this.#peer, description, rest);
    await this.channel.send(
      'accept',
      {},
      { capabilities: this.#capabilities, token: this.token, hasPages, runs: this.#arrival.machine?.runs === true },
    );
    const { hashes } = this.#arrival;
    if (hasPages && hashes) {
      for (let first = 0; first < hashes.pageCount; first += LEAVES) {
        const count = Math.min(LEAVES, hashes.pageCount - first);
        await this.channel.send('leaves', { first, count }, hashBytes(hashes.words, first, count));
      }
    }
    await this.channel.send('leaves', { first: 0, count: 0 });
    if (!hasPages) this.#readyMemory();
  }

  /**
   * Prepares memory until the first pages arrive. There is time for that, as the source first searches all of its
   * machine.
   */
  #readyMemory(): void {
    world.time.turn(() => {
      if (!this.#intake && this.#arrival.state === 'receiving' && this.#arrival.machine?.readyMemory?.())
        this.#readyMemory();
    });
  }

  #ownIntake(): PageIntake {
    this.#intake ??= this.#rounds.intakeOf(this.channel, 0);
    return this.#intake;
  }

  /** Runs the machine, once. */
  async #commit(): Promise<void> {
    await this.#custody.start(this.#arrival);
    this.#hasToldOfRunning = true;
    await this.channel.send('running', {});
  }

  async #answer(): Promise<void> {
    this.#arrival.enter('inquire');
    const { decision: written, isLaunched, migration } = this.#arrival;
    // If the machine is this side's but has not started, the answer makes the source ask for the start once more.
    const isWaiting = written === 'started' && !isLaunched;
    const decision = written === 'unknown' ? await this.#custody.recall(migration) : isWaiting ? 'ready' : written;
    this.#hasToldOfRunning ||= decision === 'started';
    await this.channel.send('decision', {}, { decision } satisfies ShapeValue<typeof decisionShape>);
    if (decision === 'gave-up') this.#arrival.owesAnswer = false;
  }
}
