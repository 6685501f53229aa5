import { setImmediate } from 'node:timers/promises';

/** Whom things happen to: a process. */
export interface Subject {
  readonly isGone: boolean;
  /** Somebody has stopped it for a while: until then nothing happens in it. */
  readonly stoppedUntil: number;
  do<T>(work: () => T): T;
}

/** Something that will happen. */
export interface Happening {
  at: number;
  order: number;
  /** Whom it happens to: nothing happens to one that is gone. Absent for the world itself. */
  to: Subject | undefined;
  work: () => void;
  isOff: boolean;
  /** Nothing follows in promises or streams, and so nothing has to be waited for. */
  isQuiet: boolean;
}

/** Takes microseconds, so that no loop that waits for a time goes on for ever. */
const LOOK_MS = 0.0005;

/** Virtual time: one thing happens after the other, each in its process, and time passes in between only. */
export class Timeline {
  /** Milliseconds from the start. */
  now = 0;
  /** Things that have happened. */
  happened = 0;
  /** Called after each of them. */
  onHappened: (() => void) | undefined;
  readonly #heap: Happening[] = [];
  #orders = 0;

  /** The time, for somebody who looks again and again. */
  look(): number {
    this.now += LOOK_MS;
    return this.now;
  }

  add(inMs: number, to: Subject | undefined, work: () => void): Happening {
    return this.#add(inMs, to, work, false);
  }

  /** The same for the world's own: it only leads to further happenings. */
  addQuiet(inMs: number, work: () => void): void {
    this.#add(inMs, undefined, work, true);
  }

  #add(inMs: number, to: Subject | undefined, work: () => void, isQuiet: boolean): Happening {
    const at = this.now + Math.max(0, inMs);
    const happening = { at, order: this.#orders++, to, work, isOff: false, isQuiet };
    this.#rise(happening);
    return happening;
  }

  /** Lets things happen until `isOver` says so, nothing is left, or so much time has passed. */
  async run(isOver: () => boolean, withinMs: number): Promise<void> {
    const end = this.now + withinMs;
    while (!isOver()) {
      const next = this.#heap[0];
      if (!next || next.at > end) {
        this.now = Math.max(this.now, end);
        return;
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
      // All that follows at once, in promises and streams, belongs to the same process.
      await setImmediate();
      this.onHappened?.();
    }
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
