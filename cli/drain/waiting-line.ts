import type { Begun } from './drain-journal.ts';
import type { FoundMachine } from './find-machines.ts';
import { type DrainTarget, roomiest } from './targets.ts';

/** A machine that is to go. */
export interface Leaving {
  found: FoundMachine;
  /** Times that it was sent off. */
  attempts: number;
  /** The last migration that was begun. */
  last: Begun | undefined;
  /** Why it did not go to which target. */
  tried: Map<string, string>;
  /** It is not its turn before, by `performance.now`. */
  notBefore: number;
  /** Times that it was told to come later. */
  waits: number;
}

const LATER_MS = 2000;
/** Five minutes of being told so. */
const MOST_WAITS = 150;

/** Machines that wait for a slot at a target. */
export class WaitingLine {
  readonly #targets: readonly DrainTarget[];
  readonly #perTarget: number;
  readonly #waiting: Leaving[] = [];

  /** @param perTarget machines on their way to one target at a time */
  constructor(targets: readonly DrainTarget[], perTarget: number) {
    this.#targets = targets;
    this.#perTarget = perTarget;
  }

  /** In the order of their turns; a copy. */
  get all(): readonly Leaving[] {
    return [...this.#waiting];
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(found: FoundMachine): void {
    this.#waiting.push({ found, attempts: 0, last: undefined, tried: new Map(), notBefore: 0, waits: 0 });
  }

  /** Takes a machine out. */
  take(leaving: Leaving): void {
    this.#waiting.splice(this.#waiting.indexOf(leaving), 1);
  }

  /** Lets a machine be the next. */
  again(leaving: Leaving): void {
    this.#waiting.unshift(leaving);
  }

  /** Lets a machine come later; the target that told it so too often is not tried any more. */
  later(leaving: Leaving, { to }: DrainTarget, because: string): void {
    leaving.notBefore = performance.now() + LATER_MS;
    if (++leaving.waits > MOST_WAITS) leaving.tried.set(to, because);
    this.#waiting.push(leaving);
  }

  /** Milliseconds until a machine that was told to come later may come. */
  get msToTurn(): number {
    const now = performance.now();
    const later = this.#waiting.map(({ notBefore }) => notBefore).filter((time) => time > now);
    return Math.min(...later, now + LATER_MS) - now;
  }

  /** The target for a machine now; undefined where it has to wait. */
  targetFor(leaving: Leaving): DrainTarget | undefined {
    if (leaving.notBefore > performance.now()) return undefined;
    return roomiest(this.#fitting(leaving).filter(({ running }) => running < this.#perTarget));
  }

  /** Why no target takes a machine, now or later; undefined where one may. */
  whyNowhere(leaving: Leaving): string | undefined {
    if (this.#fitting(leaving).length > 0) return undefined;
    const reasons = this.#targets.map(
      ({ to, stoppedBecause }) =>
        `${to}: ${leaving.tried.get(to) ?? stoppedBecause ?? 'it has not so much memory free'}`,
    );
    return reasons.join('; ');
  }

  #fitting({ found, tried }: Leaving): DrainTarget[] {
    return this.#targets.filter(
      (target) => target.stoppedBecause === undefined && !tried.has(target.to) && target.hasRoomFor(found.bytes),
    );
  }
}
