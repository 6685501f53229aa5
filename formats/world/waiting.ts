import type { TimerHandle } from './time.ts';
import { world } from './world.ts';

/** Milliseconds since an unspecified start; monotonic. */
export function clock(): number {
  return world.time.now();
}

/** Date and time by the system's clock, which may be set at any time: to be shown and kept, not to measure with. */
export function systemDate(): Date {
  return new Date(world.time.date());
}

/**
 * Calls `work` once, later; `stopTimer` prevents it. @param options.keepsAlive whether the process stays alive until
 * then
 */
export function after(ms: number, work: () => void, { keepsAlive = true } = {}): TimerHandle {
  return world.time.after(ms, work, keepsAlive);
}

/** Calls `work` again and again, until `stopTimer`; keeps no process alive. */
export function every(ms: number, work: () => void): TimerHandle {
  return world.time.every(ms, work);
}

export function stopTimer(timer: TimerHandle | undefined): void {
  world.time.stop(timer);
}

/**
 * Resolves after a time, or when the signal aborts; callers that need to tell these apart look at the signal.
 * @param options.keepsAlive whether the process stays alive until then
 */
export function sleep(
  ms: number,
  { signal, keepsAlive = true }: { signal?: AbortSignal | undefined; keepsAlive?: boolean } = {},
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const wake = () => {
      signal?.removeEventListener('abort', wake);
      world.time.stop(timer);
      resolve();
    };
    const timer = world.time.after(ms, wake, keepsAlive);
    signal?.addEventListener('abort', wake);
  });
}

/** Resolves after all callbacks that are already due. */
export function turn(): Promise<void> {
  return new Promise((resolve) => world.time.turn(resolve));
}
