/** What was set going for later. */
export type TimerHandle = object;

/** Clocks and timers. */
export interface Time {
  /** Milliseconds from some start; never goes back. */
  now(): number;
  /** Milliseconds since 1970, as somebody has set the clock. */
  date(): number;
  /** @param keepsAlive the process does not end before */
  after(ms: number, work: () => void, keepsAlive: boolean): TimerHandle;
  /** Again and again, until it is stopped; keeps no process alive. */
  every(ms: number, work: () => void): TimerHandle;
  stop(timer: TimerHandle | undefined): void;
  /** As soon as all that waits by now has had its turn. */
  turn(work: () => void): void;
  /** Tells, whenever it is called, the share of the time since the last call in which this process was busy. */
  busyShare(): () => number;
}

export const REAL_TIME: Time = {
  now: () => performance.now(),
  date: () => Date.now(),
  after(ms, work, keepsAlive) {
    const timer = setTimeout(work, ms);
    return keepsAlive ? timer : timer.unref();
  },
  every: (ms, work) => setInterval(work, ms).unref(),
  stop: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  turn: (work) => void setImmediate(work),
  busyShare() {
    let last = performance.eventLoopUtilization();
    return () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    };
  },
};
