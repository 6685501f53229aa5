import { InterruptedError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { SourceMachine } from '../machine/machine.ts';
import type { PageSet } from '../machine/page-set.ts';
import { type CodecCounts, noCounts, PageEncoder } from '../pages/page-encoder.ts';
import type { Zstd } from '../pages/zstd.ts';
import { chooseCompression } from '../policy/choose-compression.ts';
import type { MigrationLimits } from '../policy/limits.ts';
import { PageCodec } from '../wire/frames.ts';
import { FRAME_PAGES, MODEST_FRAME } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { readHead } from '../wire/payload.ts';
import { LinkPacer } from './link-pacer.ts';
import type { CompressionChoice } from './options.ts';
import type { PageStream } from './page-stream.ts';
import type { RateMeter } from './rate-meter.ts';
import type { SourceLink } from './source-link.ts';
import type { Transfer } from './transfer.ts';

/** A frame takes no longer than this on the link, so that limits and cancelling take effect soon. */
const FRAME_MS = 250;
/** Pages of a frame before anything was measured. */
const FIRST_PAGES = MODEST_FRAME / PAGE_SIZE;
/** Packed size by size, before anything was measured. */
const GUESSED_RATIO = 0.5;

export interface RoundCounts {
  pages: number;
  bytes: number;
  codecs: CodecCounts;
  /** Time from the last page sent until all were in memory: a round trip, and the pages under way. */
  settleMs: number;
}

/** Sends rounds of pages over the streams of a link. */
export class PageRounds {
  readonly #link: SourceLink;
  readonly #meter: RateMeter;
  readonly #limits: () => MigrationLimits;
  readonly #compression: CompressionChoice;
  readonly #signal: AbortSignal | undefined;
  readonly #encoders: PageEncoder[];
  readonly #pacer = new LinkPacer();
  #ratio = GUESSED_RATIO;

  constructor(
    link: SourceLink,
    machine: SourceMachine,
    { sent, meter }: Transfer,
    options: {
      limits: () => MigrationLimits;
      zstd: Zstd | undefined;
      compression: CompressionChoice;
      signal: AbortSignal | undefined;
    },
  ) {
    this.#link = link;
    this.#meter = meter;
    this.#limits = options.limits;
    this.#compression = options.compression;
    this.#signal = options.signal;
    const zstd = link.capabilities.zstd ? options.zstd : undefined;
    this.#encoders = link.streams.map((_, i) => new PageEncoder(machine, sent, zstd, link.owns(i)));
    for (const encoder of this.#encoders) encoder.compress = this.#compression === 'always';
  }

  /**
   * Sends the pages of a set, and waits until all of them are in the target's memory.
   * @param after next step after the round (`AfterRound`)
   * @param meanwhile runs after the last page has left, while the target takes the pages under way
   */
  async send(
    round: number,
    pages: PageSet,
    after: number,
    onProgress: (done: number, bytes: number) => void,
    meanwhile?: () => Promise<void>,
  ): Promise<RoundCounts> {
    const counts: RoundCounts = { pages: 0, bytes: 0, codecs: noCounts(), settleMs: 0 };
    for (const encoder of this.#encoders) encoder.counts = noCounts();
    this.#meter.skip();
    let done = 0;
    const progress = (candidates: number, bytes: number) => {
      counts.bytes += bytes;
      done += candidates;
      onProgress(done, counts.bytes);
    };
    await Promise.all(this.#link.streams.map((stream, i) => this.#sendOn(stream, i, round, pages, progress)));
    // Only the proof would notice pages that are left out here.
    if (done !== pages.size)
      throw new MigrationError('pages-left-out', `Cannot end round ${round}: ${done} of ${pages.size} pages were sent`);
    const sent = clock();
    const arrived = this.#link.control.inbox.expect('arrived');
    arrived.catch(() => {});
    await Promise.all(
      this.#link.streams.map(({ channel }, i) =>
        channel.send('barrier', { round, pages: sentBy(this.#encoders[i]), next: after }),
      ),
    );
    await meanwhile?.();
    readHead(await arrived, 'arrived');
    counts.settleMs = clock() - sent;
    for (const { counts: own } of this.#encoders) addCounts(counts.codecs, own);
    counts.pages = counts.codecs.pages.reduce((sum, n) => sum + n, 0);
    return counts;
  }

  async #sendOn(
    stream: PageStream,
    index: number,
    round: number,
    pages: PageSet,
    onFrame: (candidates: number, bytes: number) => void,
  ): Promise<void> {
    const isOwn = this.#link.owns(index);
    const encoder = this.#encoders[index];
    const list = new Uint32Array(FRAME_PAGES);
    const turns = new Turns();
    for (let page = pages.next(0); page < pages.pageCount; ) {
      let count = 0;
      const { bandwidth } = this.#limits();
      const limit = this.#framePages(bandwidth);
      for (; page < pages.pageCount && count < limit; page = pages.next(page + 1))
        if (isOwn(page)) list[count++] = page;
      if (count === 0) break;
      if (this.#signal?.aborted) throw new InterruptedError();
      const bytes = await stream.sendPages(encoder, round, list, count);
      onFrame(count, bytes);
      this.#meter.addWait(await this.#pacer.take(bytes, bandwidth, this.#signal));
      this.#chooseCompression(encoder);
      // The guest gets its turn, too.
      if (turns.areDue) await turns.give();
    }
  }

  #framePages(bandwidth: number): number {
    const known = this.#meter.rate(0);
    const most = known === 0 ? FIRST_PAGES : FRAME_PAGES;
    const rate = Math.min(known === 0 ? Number.POSITIVE_INFINITY : known, bandwidth);
    return Math.max(1, Math.min(most, Math.floor((rate * FRAME_MS) / 1000 / PAGE_SIZE)));
  }

  #chooseCompression(encoder: PageEncoder): void {
    if (this.#compression !== 'auto') return;
    const { pages, bytes } = encoder.counts;
    if (pages[PageCodec.ZSTD] > 0) this.#ratio = bytes[PageCodec.ZSTD] / (pages[PageCodec.ZSTD] * PAGE_SIZE);
    const { waitingShare } = this.#meter;
    const rate = this.#meter.rate(Number.POSITIVE_INFINITY);
    encoder.compress = chooseCompression({ compresses: encoder.compress, waitingShare, ratio: this.#ratio, rate });
  }
}

function sentBy({ counts }: PageEncoder): number {
  return counts.pages.reduce((sum, n) => sum + n, 0);
}

function addCounts(sum: CodecCounts, more: CodecCounts): void {
  for (let codec = 0; codec < sum.pages.length; codec++) {
    sum.pages[codec] += more.pages[codec];
    sum.bytes[codec] += more.bytes[codec];
  }
  sum.skipped += more.skipped;
}
