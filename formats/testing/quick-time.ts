import { enterWorld, world } from '../world/world.ts';

/** Runs work that waits: each wait is over at once. `now` gives the milliseconds that have passed. */
export async function withQuickTime<T>(work: (now: () => number) => Promise<T>): Promise<T> {
  const { time } = world;
  let now = time.now();
  const after = (ms: number, wake: () => void) => {
    const timer = { isSet: true };
    time.turn(() => {
      if (!timer.isSet) return;
      now += ms;
      wake();
    });
    return timer;
  };
  const stop: typeof time.stop = (timer) => {
    if (timer !== undefined && 'isSet' in timer) timer.isSet = false;
    else time.stop(timer);
  };
  const before = enterWorld({ ...world, time: { ...time, now: () => now, after, stop } });
  try {
    return await work(() => now);
  } finally {
    enterWorld(before);
  }
}
