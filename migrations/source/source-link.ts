import type { Duplex } from 'node:stream';
import { InterruptedError, type SavkitError } from '../../formats/errors.ts';
import type { ShapeValue } from '../../formats/values/shape.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import type { SourceMachine } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import { ownsPage } from '../pages/owns-page.ts';
import { carryBytes } from '../wire/carry-bytes.ts';
import { FrameChannel } from '../wire/frame-channel.ts';
import { receiveOnly } from '../wire/inbox.ts';
import { DEFAULT_WINDOW, type TimeOuts } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import { acceptShape, type Capabilities, KNOWS_QEMU, PROTOCOL } from '../wire/messages.ts';
import { endOfHashes, readHashes, readHead, readMessage } from '../wire/payload.ts';
import { PeerError } from '../wire/peer-error.ts';
import { PageStream } from './page-stream.ts';
import type { RateMeter } from './rate-meter.ts';
import { receiveHello } from './target-hello.ts';

export interface LinkOptions {
  /**
   * Opens a connection to the target, authenticated where the migration has a key or certificates. @throws
   * EnvironmentError
   */
  connect: (signal?: AbortSignal) => Promise<Duplex>;
  signal?: AbortSignal | undefined;
  streams: number;
  zstd: boolean;
  timeOuts: TimeOuts;
  migration: string;
}

/** Time for the target's last messages after a link broke. */
const LAST_WORDS_MS = 300;

/** Connections to a target that has accepted the machine, and is ready for pages. */
export class SourceLink {
  readonly streams: PageStream[];
  readonly capabilities: Capabilities;
  /** Whether the target runs the machine; otherwise it keeps the machine in a file. */
  readonly targetRuns: boolean;
  /** Time of writing the machine's outline, in ms. */
  readonly restMs: number;
  /** The first failure to copy a disk. */
  diskFailure: SavkitError | undefined;
  readonly #options: LinkOptions;
  readonly #token: string;
  readonly #disks = new Set<FrameChannel>();
  #isOver = false;

  private constructor(
    streams: PageStream[],
    { capabilities, runs, token }: ShapeValue<typeof acceptShape>,
    restMs: number,
    options: LinkOptions,
  ) {
    this.streams = streams;
    this.capabilities = capabilities;
    this.targetRuns = runs;
    this.restMs = restMs;
    this.#token = token;
    this.#options = options;
  }

  get control(): PageStream {
    return this.streams[0];
  }

  get bytesSent(): number {
    return this.streams.reduce((sum, { channel }) => sum + channel.sent, 0);
  }

  /** Pages were sent, and the target has taken none. */
  get isStuck(): boolean {
    const parts = this.streams.map(({ pageBytes }) => pageBytes);
    return parts.some(({ underWay }) => underWay > 0) && parts.every(({ taken }) => taken === 0);
  }

  /**
   * Connects, and fills `hashes` with the hashes of pages that the target has already.
   * @throws LinkError, PeerError for a target that refuses, UnsupportedError for one of other versions, MigrationError,
   * InterruptedError
   */
  static async open(
    options: LinkOptions,
    attempt: number,
    machine: SourceMachine,
    hashes: PageHashes,
    meter: RateMeter,
  ): Promise<SourceLink> {
    const channels: FrameChannel[] = [];
    const connect = async () => {
      const channel = new FrameChannel(await options.connect(options.signal), options.timeOuts);
      channels.push(channel);
      return channel;
    };
    const endAll = () => {
      for (const channel of channels) channel.destroy();
    };
    options.signal?.addEventListener('abort', endAll);
    try {
      const channel = await connect();
      if (options.signal?.aborted) throw new InterruptedError();
      await sayHello(channel, options, attempt, machine.description.hypervisor === 'qemu' ? KNOWS_QEMU : 0);
      const stream = new PageStream(channel, DEFAULT_WINDOW, meter);
      const start = clock();
      const rest = await machine.outline();
      const restMs = clock() - start;
      await channel.send('describe', {}, { description: machine.description, rest });
      const accept = readMessage(await stream.inbox.expect('accept'), acceptShape);
      const link = new SourceLink([stream], accept, restMs, options);
      await readHashesOf(stream, hashes);
      channel.startBeats();
      for (let i = 1; i < Math.min(options.streams, accept.capabilities.streams); i++)
        await link.#join(await connect(), i, meter);
      return link;
    } catch (error) {
      endAll();
      throw options.signal?.aborted ? new InterruptedError() : error;
    } finally {
      options.signal?.removeEventListener('abort', endAll);
    }
  }

  /** Connects only to ask whether the target has decided to run the machine. */
  static async inquire(options: LinkOptions, attempt: number): Promise<FrameChannel> {
    const channel = new FrameChannel(await options.connect(options.signal), options.timeOuts);
    try {
      await sayHello(channel, options, attempt);
      await channel.send('inquire', {});
      return channel;
    } catch (error) {
      channel.destroy();
      throw error;
    }
  }

  /**
   * Tells which pages travel on a stream. Blocks of 256 pages take turns, so that a page always takes the same stream.
   */
  owns(stream: number): (page: number) => boolean {
    return ownsPage(stream, this.streams.length);
  }

  /** The cause of a broken link: the target may have told one before it closed the link. */
  async reasonFor(error: unknown): Promise<unknown> {
    if (!(error instanceof LinkError)) return error;
    const ends = this.streams.map(({ inbox }) => inbox.ended);
    const reasons = await Promise.race([Promise.all(ends), sleep(LAST_WORDS_MS, { keepsAlive: false }).then(() => [])]);
    return reasons.find((reason) => reason instanceof PeerError) ?? error;
  }

  /** Ends all waiting for the target with this error. */
  interrupt(error: SavkitError): void {
    for (const stream of this.streams) stream.interrupt(error);
  }

  /** Relays the bytes of a disk; see `DiskWay`. */
  carryDisk(disk: number, stream: Duplex): void {
    this.#carryDisk(disk, stream).catch((error: SavkitError) => {
      stream.destroy();
      if (this.#isOver) return;
      this.diskFailure ??= error;
      // No round is worth its time any more.
      if (!(error instanceof LinkError)) this.interrupt(error);
    });
  }

  async #carryDisk(disk: number, stream: Duplex): Promise<void> {
    const { connect, signal, timeOuts } = this.#options;
    const channel = new FrameChannel(await connect(signal), timeOuts);
    if (this.#isOver) channel.destroy();
    this.#disks.add(channel);
    try {
      const { nonce } = await receiveHello(channel);
      await channel.send('disk', { disk }, { nonce, token: this.#token });
      await receiveOnly(channel, 'accept').catch(ofGivenUpLink);
      channel.startBeats();
      await carryBytes(channel, stream, { answerWithin: timeOuts.frame });
    } finally {
      this.#disks.delete(channel);
      channel.destroy();
    }
  }

  #endDisks(): void {
    this.#isOver = true;
    for (const channel of this.#disks) channel.destroy();
  }

  end(): void {
    this.#endDisks();
    for (const { channel } of this.streams) channel.end();
  }

  /**
   * Ends the link; last messages still go out. Streams are not destroyed at once: their end might arrive before the
   * last messages, and the other side would see a broken link. A kernel also drops unsent bytes of a socket with unread
   * bytes.
   */
  part(): void {
    this.#endDisks();
    const { channel } = this.control;
    channel.end();
    Promise.race([channel.closed, sleep(channel.timeOuts.frame, { keepsAlive: false })]).then(() => this.destroy());
  }

  destroy(): void {
    this.#endDisks();
    for (const { channel } of this.streams) channel.destroy();
  }

  async #join(channel: FrameChannel, index: number, meter: RateMeter): Promise<void> {
    const { nonce } = await receiveHello(channel);
    await channel.send('join', { stream: index }, { nonce, token: this.#token });
    const stream = new PageStream(channel, this.capabilities.window, meter);
    await stream.inbox.expect('accept').catch(ofGivenUpLink);
    channel.startBeats();
    this.streams.push(stream);
  }
}

/**
 * The target no longer knows the link of a further stream: it gave the link up unnoticed. @throws LinkError then, else
 * the error as it is
 */
function ofGivenUpLink(error: unknown): never {
  throw error instanceof PeerError && error.code === 'bad-token' ? LinkError.givenUp() : error;
}

async function sayHello(
  channel: FrameChannel,
  { zstd, streams, migration }: LinkOptions,
  attempt: number,
  atLeast = 0,
): Promise<void> {
  const { nonce, version } = await receiveHello(channel, atLeast);
  const capabilities: Capabilities = { zstd, streams, window: DEFAULT_WINDOW };
  await channel.send('hello', {}, { protocol: PROTOCOL, version, nonce, migration, attempt, capabilities });
}

/** Hashes of the pages that the target has already, if it has any. */
async function readHashesOf({ inbox }: PageStream, hashes: PageHashes): Promise<void> {
  hashes.words.fill(0);
  for (let next = 0; ; ) {
    const { head, tail } = readHead(await inbox.expect('leaves'), 'leaves');
    const words = readHashes(tail, head.count);
    if (head.count === 0) return;
    next = endOfHashes(head, next, hashes.pageCount);
    hashes.words.set(words, head.first * 2);
  }
}
