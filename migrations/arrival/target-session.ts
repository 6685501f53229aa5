import { xxh64 } from '../../formats/kernels/xxh64.ts';
import type { ShapeValue } from '../../formats/values/shape.ts';
import { clock } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { describeShape } from '../machine/description.ts';
import { PageSet } from '../machine/page-set.ts';
import { ownsPage } from '../pages/owns-page.ts';
import type { Zstd } from '../pages/zstd.ts';
import { differingNodes, nodesOf, pagesOfNode, rootOf } from '../proof/hash-tree.ts';
import { carryBytes } from '../wire/carry-bytes.ts';
import type { FrameChannel } from '../wire/frame-channel.ts';
import { AfterRound } from '../wire/frames.ts';
import { throwReason } from '../wire/inbox.ts';
import { MAX_REST, PATIENCE } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import type { Capabilities, decisionShape } from '../wire/messages.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { type Frame, hashBytes, readHashes, readHead, readMessage } from '../wire/payload.ts';
import type { Arrival } from './arrival.ts';
import { PageIntake } from './page-intake.ts';
import type { Reception } from './reception.ts';
import { RoundBarrier } from './round-barrier.ts';

/** Hashes in one frame of leaves: 512 KiB. */
const LEAVES = 65536;

/** One link of a migration at the target, with all its streams. */
export class TargetSession {
  /** What further streams have to show. */
  readonly token: string = world.chance.bytes(16).toString('hex');
  readonly channel: FrameChannel;
  readonly #receiver: Reception;
  readonly #arrival: Arrival;
  readonly #peer: string;
  readonly #capabilities: Capabilities;
  readonly #zstd: Zstd | undefined;
  readonly #barrier = new RoundBarrier();
  readonly #others: FrameChannel[] = [];
  readonly #disks: FrameChannel[] = [];
  #intake: PageIntake | undefined;
  #after: number = AfterRound.ANOTHER;
  /** Until when something has to come besides signs of life. */
  #deadline = Number.POSITIVE_INFINITY;
  #rest: Uint8Array[] = [];
  #restSize = 0;
  #restDone = false;
  #isOver = false;
  #hasToldOfRunning = false;
  readonly #work: Promise<void>[] = [];

  constructor(
    receiver: Reception,
    arrival: Arrival,
    channel: FrameChannel,
    peer: string,
    capabilities: Capabilities,
    zstd: Zstd | undefined,
  ) {
    this.#receiver = receiver;
    this.#arrival = arrival;
    this.channel = channel;
    this.#capabilities = capabilities;
    this.#zstd = zstd;
    this.#peer = peer;
  }

  /**
   * Serves the control stream until the source, which knows that the machine runs, closes it. @throws LinkError,
   * PeerError, FormatError
   */
  run(): Promise<void> {
    return this.#note(this.#serve());
  }

  /** Serves one more stream of pages, until its end. */
  runStream(channel: FrameChannel, index: number): Promise<void> {
    return this.#note(this.#serveStream(channel, index));
  }

  /** Takes nothing any more; resolves when nothing is under way. The control stream stays, for last words. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const channel of [...this.#others, ...this.#disks]) channel.destroy();
    this.#barrier.abandon();
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
    this.noteSign();
    for (;;) {
      const frame = await this.#next();
      if (!frame) return;
      if (frame.name === 'beat') {
        if (clock() > this.#deadline)
          throw LinkError.silent(this.channel.timeOuts.frame * PATIENCE, 'more than signs of life');
        continue;
      }
      await this.#take(frame);
      this.noteSign();
    }
  }

  /** Serves a connection of a disk, until its end. @param disk its number in the description */
  async serveDisk(channel: FrameChannel, disk: number): Promise<void> {
    const { machine, description } = this.#arrival;
    const disks = description?.hypervisor === 'qemu' ? description.disks.length : 0;
    if (!machine?.openDisk || disk >= disks || this.#isOver)
      throw new MigrationError('bad-stream', `Cannot take disk ${disk}: the machine has ${disks} that can be copied`);
    const stream = await machine.openDisk(disk);
    this.#disks.push(channel);
    await this.#acceptStream(channel);
    await carryBytes(channel, stream, () => this.noteSign());
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
    if (index !== this.#others.length + 1 || index >= this.#capabilities.streams || this.#barrier.round > 0)
      throw new MigrationError(
        'bad-stream',
        `Cannot take stream ${index}: expected ${this.#others.length + 1}, before the first round`,
      );
    this.#others.push(channel);
    this.#barrier.streams++;
    await this.#acceptStream(channel);
    let intake: PageIntake | undefined;
    for (;;) {
      const frame = await this.#receive(channel, 'pages');
      if (frame.name === 'beat') continue;
      throwReason(frame);
      // The number of streams is known when the first page comes.
      intake ??= new PageIntake(
        channel,
        this.#arrival,
        this.#barrier,
        this.#zstd,
        ownsPage(index, this.#barrier.streams),
      );
      if (frame.name === 'pages') await intake.takePages(frame);
      else if (frame.name === 'barrier') await intake.takeBarrier(frame, (after) => this.#endRound(after));
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

  /** What has come before a link was given up is not taken after that: a newer link may be under way. */
  async #receive(channel: FrameChannel, expected: string): Promise<Frame> {
    const frame = await channel.receive(expected);
    if (this.#isOver) throw LinkError.lost();
    return frame;
  }

  /** More than a sign of life has come: a frame, or a piece of a disk. */
  noteSign(): void {
    this.#deadline = clock() + this.channel.timeOuts.frame * PATIENCE;
  }

  async #take(frame: Frame): Promise<void> {
    switch (frame.name) {
      case 'describe':
        return this.#takeDescription(frame);
      case 'pages':
        return this.#ownIntake().takePages(frame);
      case 'barrier':
        return this.#ownIntake().takeBarrier(frame, (after) => this.#endRound(after));
      case 'rest':
        return this.#takeRest(frame);
      case 'seal':
        return this.#takeSeal(frame);
      case 'commit':
        return this.#commit();
      case 'inquire':
        return this.#answer();
      case 'cancel':
        this.#arrival.enter('cancel');
        return throwReason(frame);
      case 'refuse':
        // A source says that only before it has decided: the machine stays there, whatever is ready here.
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
    const hasPages = await this.#receiver.takeIn(this.#arrival, this.#peer, description, rest);
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

  /** Until the first pages come: the source has to look at all of its machine before. */
  #readyMemory(): void {
    world.time.turn(() => {
      if (!this.#intake && this.#arrival.state === 'receiving' && this.#arrival.machine?.readyMemory?.())
        this.#readyMemory();
    });
  }

  #ownIntake(): PageIntake {
    this.#intake ??= new PageIntake(
      this.channel,
      this.#arrival,
      this.#barrier,
      this.#zstd,
      ownsPage(0, this.#barrier.streams),
    );
    return this.#intake;
  }

  /** All pages of a round are in memory. */
  async #endRound(after: number): Promise<void> {
    if (after > AfterRound.SEAL)
      throw new MigrationError(
        'bad-barrier',
        `Cannot end round: what is to follow is ${after}, which this side does not know`,
      );
    this.#after = after;
    if (after === AfterRound.AUDIT) this.#arrival.written = new PageSet(this.#arrival.hashes?.pageCount ?? 0);
    if (after === AfterRound.AUDIT || after === AfterRound.PROOF) await this.#arrival.refreshHashes();
    else this.#arrival.refreshWritten();
    this.#receiver.tell({ event: 'round', round: this.#barrier.round - 1, bytes: this.#arrival.bytes });
    await this.channel.send('arrived', { round: this.#barrier.round - 1 });
  }

  async #takeRest(frame: Frame): Promise<void> {
    this.#expectRest(false, 'the rest');
    this.#arrival.enter('rest');
    const { tail } = readHead(frame, 'rest');
    this.#restSize += tail.length;
    if (this.#restSize > MAX_REST)
      throw new MigrationError('too-much', `Cannot take the rest: it has more than ${MAX_REST} bytes`);
    if (tail.length === 0) this.#restDone = true;
    else this.#rest.push(tail.slice());
  }

  #expectRest(done: boolean, what: string): void {
    if (this.#after < AfterRound.PROOF || this.#restDone !== done)
      throw new MigrationError('unexpected', `Cannot take ${what}: it is not its turn`);
  }

  /** Compares; if all is as it has to be, promises to run the machine when told. */
  async #takeSeal(frame: Frame): Promise<void> {
    this.#expectRest(true, 'the seal');
    this.#arrival.enter('seal');
    const { head, tail } = readHead(frame, 'seal');
    const theirs = readHashes(tail, head.count);
    const { hashes, machine } = this.#arrival;
    if (!hashes || !machine) return;
    const own = nodesOf(hashes);
    const differing = differingNodes(own, theirs);
    if (differing.length > 0) return this.#sayDifferences(differing);
    const rest = Buffer.concat(this.#rest);
    if (rootOf(own) !== head.root || xxh64(rest) !== head.rest)
      throw new MigrationError('bad-seal', 'Cannot take the seal: it does not fit what it seals');
    this.#arrival.isPaused = head.paused !== 0;
    this.#arrival.log.standsStill(this.#arrival.isPaused);
    // The record reaches the disk meanwhile. Alone it decides nothing: the source does, behind the frame ready.
    const written = this.#arrival.decide('ready');
    try {
      await machine.loadRest(rest);
    } finally {
      await written;
    }
    if (this.#arrival.failure) throw this.#arrival.failure;
    this.#arrival.enter('proved');
    this.#receiver.tell({ event: 'ready', root: head.root.toString(16).padStart(16, '0') });
    await this.channel.send('ready', {});
  }

  async #sayDifferences(nodes: number[]): Promise<void> {
    const { hashes } = this.#arrival;
    if (!hashes) return;
    for (const node of nodes) {
      const { first, count } = pagesOfNode(node, hashes);
      await this.channel.send('differ', { first, count }, hashBytes(hashes.words, first, count));
    }
    await this.channel.send('differ', { first: 0, count: 0 });
  }

  /** Runs the machine, once. */
  async #commit(): Promise<void> {
    await this.#receiver.start(this.#arrival);
    this.#hasToldOfRunning = true;
    await this.channel.send('running', {});
  }

  async #answer(): Promise<void> {
    this.#arrival.enter('inquire');
    const { decision: written, isLaunched, migration } = this.#arrival;
    // Of a machine that is this side's, and did not start, the source still has to say that it is to.
    const isWaiting = written === 'started' && !isLaunched;
    const decision = written === 'unknown' ? await this.#receiver.recall(migration) : isWaiting ? 'ready' : written;
    this.#hasToldOfRunning ||= decision === 'started';
    await this.channel.send('decision', {}, { decision } satisfies ShapeValue<typeof decisionShape>);
    if (decision === 'gave-up') this.#arrival.owesAnswer = false;
  }
}
