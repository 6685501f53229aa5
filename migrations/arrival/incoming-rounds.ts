import { PageSet } from '../machine/page-set.ts';
import { ownsPage } from '../pages/owns-page.ts';
import type { Zstd } from '../pages/zstd.ts';
import type { FrameChannel } from '../wire/frame-channel.ts';
import { AfterRound } from '../wire/frames.ts';
import { MigrationError } from '../wire/migration-error.ts';
import type { Arrival } from './arrival.ts';
import { PageIntake } from './page-intake.ts';
import { RoundBarrier } from './round-barrier.ts';
import type { TargetCustody } from './target-custody.ts';

/** Rounds of pages, which arrive over all streams of a link. */
export class IncomingRounds {
  readonly #custody: TargetCustody;
  readonly #arrival: Arrival;
  readonly #control: FrameChannel;
  readonly #zstd: Zstd | undefined;
  readonly #barrier = new RoundBarrier();
  #after: number = AfterRound.ANOTHER;

  /** @param control the stream over which the ends of rounds are acknowledged */
  constructor(custody: TargetCustody, arrival: Arrival, control: FrameChannel, zstd: Zstd | undefined) {
    this.#custody = custody;
    this.#arrival = arrival;
    this.#control = control;
    this.#zstd = zstd;
  }

  /** The next step after the last round, as announced by the source (`AfterRound`). */
  get after(): number {
    return this.#after;
  }

  /** Whether no round has ended yet. */
  get isFirst(): boolean {
    return this.#barrier.round === 0;
  }

  /** Counts a further stream with pages, from the first round on. */
  addStream(): void {
    this.#barrier.streams++;
  }

  /** Makes the intake for one stream. To be called at its first page, when the number of streams is known. */
  intakeOf(channel: FrameChannel, stream: number): PageIntake {
    const isOwn = ownsPage(stream, this.#barrier.streams);
    return new PageIntake(channel, this.#arrival, this.#barrier, this.#zstd, isOwn, (after) => this.#endRound(after));
  }

  /** Ends all waiting for rounds. */
  abandon(): void {
    this.#barrier.abandon();
  }

  /** Called when all pages of a round are in memory. */
  async #endRound(after: number): Promise<void> {
    if (after > AfterRound.SEAL)
      throw new MigrationError(
        'bad-barrier',
        `Cannot end round: this side does not know ${after}, the phase to follow`,
      );
    this.#after = after;
    if (after === AfterRound.AUDIT) this.#arrival.written = new PageSet(this.#arrival.hashes?.pageCount ?? 0);
    if (after === AfterRound.AUDIT || after === AfterRound.PROOF) await this.#arrival.refreshHashes();
    else this.#arrival.refreshWritten();
    this.#custody.tell({ event: 'round', round: this.#barrier.round - 1, bytes: this.#arrival.bytes });
    await this.#control.send('arrived', { round: this.#barrier.round - 1 });
  }
}
