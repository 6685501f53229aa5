import { LinkError } from '../wire/link-error.ts';
import { MigrationError } from '../wire/migration-error.ts';

/**
 * Barrier at which the streams of a link wait for each other: no page of a round moves before all pages of the round
 * before are in memory.
 */
export class RoundBarrier {
  round = 0;
  streams = 1;
  #after: number | undefined;
  readonly #waiting: { release: () => void; abandon: (error: LinkError) => void }[] = [];

  /** Resolves when all streams have ended the round and `onAll` is through, which runs once. */
  async reach(round: number, after: number, onAll: (after: number) => Promise<void>): Promise<void> {
    if (round !== this.round)
      throw new MigrationError('wrong-round', `Cannot end round ${round}: round ${this.round} is under way`);
    if (this.#after !== undefined && this.#after !== after)
      throw new MigrationError('bad-barrier', `Cannot end round ${round}: its streams do not agree on the next phase`);
    this.#after = after;
    if (this.#waiting.length + 1 < this.streams) {
      await new Promise<void>((release, abandon) => this.#waiting.push({ release, abandon }));
      return;
    }
    this.#after = undefined;
    this.round++;
    try {
      await onAll(after);
    } catch (error) {
      this.abandon();
      throw error;
    }
    for (const { release } of this.#waiting.splice(0)) release();
  }

  /** To be called when the round will not end: streams that wait at the barrier fail. */
  abandon(): void {
    for (const { abandon } of this.#waiting.splice(0)) abandon(LinkError.lost());
  }
}
