import { FormatError } from '../../formats/errors.ts';

/** Where the streams of a link wait for each other: no page of a round moves before all pages of the round before are in memory. */
export class RoundBarrier {
  round = 0;
  streams = 1;
  #after: number | undefined;
  #waiting: (() => void)[] = [];

  /** Resolves when all streams have ended the round and `onAll` is through, which runs once. */
  async reach(round: number, after: number, onAll: (after: number) => Promise<void>): Promise<void> {
    if (round !== this.round) throw new FormatError('wrong-round', `Cannot end round ${round}: round ${this.round} is under way`);
    if (this.#after !== undefined && this.#after !== after)
      throw new FormatError('bad-barrier', `Cannot end round ${round}: its streams do not agree on what follows`);
    this.#after = after;
    if (this.#waiting.length + 1 < this.streams) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      return;
    }
    const released = this.#waiting;
    this.#waiting = [];
    this.#after = undefined;
    this.round++;
    await onAll(after);
    for (const release of released) release();
  }
}
