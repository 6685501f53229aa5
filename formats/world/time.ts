/** A timer that was set. */
export type TimerHandle = object;

/** Clocks and timers. */
export interface Time {
  /** Milliseconds from an arbitrary start; never goes back. */
  now(): number;
  /** Milliseconds since 1970 by the system's clock, which may be set at any time. */
  date(): number;
  /** Calls `work` once, after `ms`. @param keepsAlive the process does not end before the call */
  after(ms: number, work: () => void, keepsAlive: boolean): TimerHandle;
  /** Calls `work` again and again until stopped; does not keep the process alive. */
  every(ms: number, work: () => void): TimerHandle;
  stop(timer: TimerHandle | undefined): void;
  /** Calls `work` after all work that is due now. */
  turn(work: () => void): void;
  /** @returns a function that gives the share of time since its last call in which this process was busy */
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
