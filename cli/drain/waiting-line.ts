import type { Begun } from './drain-journal.ts';
import type { FoundMachine } from './find-machines.ts';
import { type DrainTarget, leastBusy } from './targets.ts';

/** A machine that is to leave. */
export interface Leaving {
  found: FoundMachine;
  /** Number of attempts to send the machine. */
  attempts: number;
  /** The last migration begun. */
  last: Begun | undefined;
  /** Targets that did not take the machine, with the reasons. */
  tried: Map<string, string>;
  /** Earliest time of the machine's next turn, by `performance.now`. */
  notBefore: number;
  /** Number of times that a target was busy. */
  waits: number;
}

const LATER_MS = 2000;
/** Maximum number of waits; together they take five minutes. */
const MOST_WAITS = 150;

/** Machines that wait for a slot at a target. */
export class WaitingLine {
  readonly #targets: readonly DrainTarget[];
  readonly #perTarget: number;
  readonly #waiting: Leaving[] = [];

  /** @param perTarget maximum number of machines on their way to one target at a time */
  constructor(targets: readonly DrainTarget[], perTarget: number) {
    this.#targets = targets;
    this.#perTarget = perTarget;
  }

  /** A copy of the line, in the order of turns. */
  get all(): readonly Leaving[] {
    return [...this.#waiting];
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(found: FoundMachine): void {
    this.#waiting.push({ found, attempts: 0, last: undefined, tried: new Map(), notBefore: 0, waits: 0 });
  }

  /** Removes a machine. */
  take(leaving: Leaving): void {
    this.#waiting.splice(this.#waiting.indexOf(leaving), 1);
  }

  /** Puts a machine first. */
  again(leaving: Leaving): void {
    this.#waiting.unshift(leaving);
  }

  /** Puts a machine last, since a target is busy; after too many waits, that target is not tried any more. */
  later(leaving: Leaving, { to }: DrainTarget, because: string): void {
    leaving.notBefore = performance.now() + LATER_MS;
    if (++leaving.waits > MOST_WAITS) leaving.tried.set(to, because);
    this.#waiting.push(leaving);
  }

  /** Milliseconds until the next waiting machine may go; at most LATER_MS. */
  get msToTurn(): number {
    const now = performance.now();
    const later = this.#waiting.map(({ notBefore }) => notBefore).filter((time) => time > now);
    return Math.min(...later, now + LATER_MS) - now;
  }

  /** The target for a machine now; undefined if it has to wait. */
  targetFor(leaving: Leaving): DrainTarget | undefined {
    if (leaving.notBefore > performance.now()) return undefined;
    return leastBusy(this.#fitting(leaving).filter(({ running }) => running < this.#perTarget));
  }

  /** The reason why no target takes a machine, now or later; undefined if one may. */
  whyNowhere(leaving: Leaving): string | undefined {
    if (this.#fitting(leaving).length > 0) return undefined;
    const reasons = this.#targets.map(
      ({ to, stoppedBecause }) =>
        `${to}: ${leaving.tried.get(to) ?? stoppedBecause ?? 'it does not have enough free memory'}`,
    );
    return reasons.join('; ');
  }

  #fitting({ found, tried }: Leaving): DrainTarget[] {
    return this.#targets.filter(
      (target) => target.stoppedBecause === undefined && !tried.has(target.to) && target.hasRoomFor(found.bytes),
    );
  }
}
