/** A process, to which things happen. */
export interface Subject {
  readonly isGone: boolean;
  /** Time until which the process is stopped (SIGSTOP), so that nothing happens in it. */
  readonly stoppedUntil: number;
  do<T>(work: () => T): T;
}

/** Something that will happen. */
export interface Happening {
  at: number;
  order: number;
  /** The process to which it happens, unless the process is gone. Absent for the world itself. */
  to: Subject | undefined;
  work: () => void;
  isOff: boolean;
  /** Nothing follows in promises or streams, so these need not be waited for. */
  isQuiet: boolean;
}

/** Time that a look at the clock takes, so that a loop which waits for a time ends. */
const LOOK_MS = 0.0005;

/** Virtual time: things happen one after the other, each in its process, and time passes only in between. */
export class Timeline {
  /** Milliseconds from the start. */
  now = 0;
  /** Number of things that have happened. */
  happened = 0;
  /** Called after each thing that has happened. */
  onHappened: (() => void) | undefined;
  readonly #heap: Happening[] = [];
  #orders = 0;

  /** The time, as processes read it; reading takes `LOOK_MS`. */
  look(): number {
    this.now += LOOK_MS;
    return this.now;
  }

  add(inMs: number, to: Subject | undefined, work: () => void): Happening {
    return this.#addAt(this.now + Math.max(0, inMs), to, work, false);
  }

  /**
   * Adds work of the world itself, which only adds further happenings.
   * @param at the time itself: a difference to now would be rounded, and change the order of simultaneous things
   */
  addQuietAt(at: number, work: () => void): void {
    this.#addAt(at, undefined, work, true);
  }

  #addAt(at: number, to: Subject | undefined, work: () => void, isQuiet: boolean): Happening {
    const happening = { at, order: this.#orders++, to, work, isOff: false, isQuiet };
    this.#rise(happening);
    return happening;
  }

  /** Lets things happen until `isOver` says so, nothing is left, or `withinMs` have passed. */
  run(isOver: () => boolean, withinMs: number): Promise<void> {
    const end = this.now + withinMs;
    return new Promise((resolve, reject) => {
      const goOn = () => {
        try {
          // All work that follows at once, in promises and streams, belongs to the same process.
          if (this.#happens(isOver, end)) afterPromises(noteAndGoOn);
          else resolve();
        } catch (error) {
          reject(error);
        }
      };
      const noteAndGoOn = () => {
        this.onHappened?.();
        goOn();
      };
      goOn();
    });
  }

  /** Lets things happen up to the next one that is not quiet. @returns whether there was one */
  #happens(isOver: () => boolean, end: number): boolean {
    while (!isOver()) {
      const next = this.#heap[0];
      if (!next || next.at > end) {
        this.now = Math.max(this.now, end);
        return false;
      }
      this.#takeFirst();
      if (next.isOff || next.to?.isGone) continue;
      this.now = Math.max(this.now, next.at);
      if (next.to && next.to.stoppedUntil > this.now) {
        this.#rise({ ...next, at: next.to.stoppedUntil });
        continue;
      }
      if (next.to) next.to.do(next.work);
      else next.work();
      if (next.isQuiet) continue;
      this.happened++;
      return true;
    }
    return false;
  }

  #rise(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.push(happening) - 1;
    for (let above = (at - 1) >> 1; at > 0 && isBefore(happening, heap[above]); above = (at - 1) >> 1) {
      heap[at] = heap[above];
      at = above;
    }
    heap[at] = happening;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Happening;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (child >= heap.length || isBefore(last, heap[child])) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Happening, other: Happening): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/**
 * Immediates requested at once: promises and streams get their turn between any two, and the system is asked only once.
 */
const TURNS = 32;
let turnsToCome = 0;
const waiting: (() => void)[] = [];

/** Runs work as soon as promises and streams have nothing left to do. */
function afterPromises(work: () => void): void {
  waiting.push(work);
  if (turnsToCome >= waiting.length) return;
  turnsToCome += TURNS;
  for (let i = 0; i < TURNS; i++) setImmediate(takeTurn);
}

function takeTurn(): void {
  turnsToCome--;
  const work = waiting.shift();
  // The work runs as a promise's turn, so that promises that follow from it run before streams.
  if (work) queueMicrotask(work);
}
