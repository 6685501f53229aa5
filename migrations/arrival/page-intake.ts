import { PAGE_SIZE } from '../../formats/sizes.ts';
import { world } from '../../formats/world/world.ts';
import type { PageSet } from '../machine/page-set.ts';
import { PageDecoder } from '../pages/page-decoder.ts';
import type { Zstd } from '../pages/zstd.ts';
import type { FrameChannel } from '../wire/frame-channel.ts';
import { PAGE_ENTRY_SIZE, PAGES_HEAD_SIZE } from '../wire/frames.ts';
import { DEFAULT_WINDOW, MAX_GROWTH, MAX_ROUNDS } from '../wire/limits.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { type Frame, readHead } from '../wire/payload.ts';
import type { Arrival } from './arrival.ts';
import type { RoundBarrier } from './round-barrier.ts';

/** Bytes per credit: a fraction of the window, so that the source need not wait for it. */
const CREDIT = DEFAULT_WINDOW / 4;

/** Takes the pages of one stream, and its barriers at the ends of rounds. */
export class PageIntake {
  readonly #channel: FrameChannel;
  readonly #arrival: Arrival;
  readonly #barrier: RoundBarrier;
  readonly #onRoundEnd: (after: number) => Promise<void>;
  readonly #decoder: PageDecoder;
  #pages = 0;
  /** Bytes taken for which no credit was given yet. */
  #owed = 0;
  readonly #busyShare = world.time.busyShare();

  constructor(
    channel: FrameChannel,
    arrival: Arrival,
    barrier: RoundBarrier,
    zstd: Zstd | undefined,
    isOwn: (page: number) => boolean,
    onRoundEnd: (after: number) => Promise<void>,
  ) {
    const { machine, hashes } = arrival;
    if (!machine || !hashes) throw new MigrationError('unexpected', 'Cannot take pages: the machine was not described');
    this.#channel = channel;
    this.#arrival = arrival;
    this.#barrier = barrier;
    this.#onRoundEnd = onRoundEnd;
    this.#decoder = new PageDecoder(machine, hashes, zstd, isOwn);
  }

  async takePages({ payload }: Frame): Promise<void> {
    const bytes = payload.length;
    // Pages can still be written to the memory file of a QEMU that has ended, so its end has to be looked for.
    if (this.#arrival.failure) throw this.#arrival.failure;
    this.#arrival.enter('pages');
    const count = this.#decoder.apply(payload, this.#barrier.round);
    this.#pages += count;
    if (this.#arrival.written) addPages(payload, count, this.#arrival.written);
    this.#arrival.bytes += bytes;
    const limit = (this.#arrival.space?.pageCount ?? 0) * PAGE_SIZE * MAX_GROWTH;
    if (this.#arrival.bytes > limit)
      throw new MigrationError(
        'too-much',
        `Cannot take pages: the migration has sent more than ${MAX_GROWTH} times the memory`,
      );
    this.#owed += bytes;
    if (this.#owed >= CREDIT) await this.#giveCredit();
  }

  async takeBarrier(frame: Frame): Promise<void> {
    const { round, pages, next } = readHead(frame, 'barrier').head;
    this.#arrival.enter('barrier');
    if (pages !== this.#pages)
      throw new MigrationError(
        'lost-frame',
        `Cannot end round ${round}: ${this.#pages} pages have come, expected ${pages}`,
      );
    if (round > MAX_ROUNDS)
      throw new MigrationError('too-many-rounds', `Cannot take round ${round}: expected at most ${MAX_ROUNDS}`);
    this.#pages = 0;
    if (this.#owed > 0) await this.#giveCredit();
    await this.#barrier.reach(round, next, this.#onRoundEnd);
  }

  async #giveCredit(): Promise<void> {
    const bytes = this.#owed;
    this.#owed = 0;
    await this.#channel.send('credit', { bytes, busy: Math.round(this.#busyShare() * 100) });
  }
}

/** Adds the page numbers of a frame. */
function addPages(payload: Uint8Array, count: number, into: PageSet): void {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  for (let i = 0; i < count; i++) into.add(view.getUint32(PAGES_HEAD_SIZE + i * PAGE_ENTRY_SIZE, true));
}
