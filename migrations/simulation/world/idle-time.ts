import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach } from 'vitest';
import { REAL_TIME, type Time } from '../../../formats/world/time.ts';
import { enterWorld, REAL_WORLD } from '../../../formats/world/world.ts';
import { type Happening, Timeline } from './timeline.ts';

/** Turns of the event loop. Streams and promises need fewer, as nothing here waits for the system. */
const QUIET_TURNS = 10;
/** Time that passes in one step while nothing waits for an earlier moment, in ms. */
const STEP_MS = 1000;

/**
 * Lets time pass only while everything waits, in the following tests, here or in this `describe`: a busy host delays
 * nothing, and no wait takes time. For code that uses no sockets, files and threads.
 */
export function useIdleTime(): void {
  let leave: () => Promise<void>;
  beforeEach(() => {
    leave = enterIdleTime();
  });
  afterEach(() => leave());
}

/** @returns function that goes back to real time */
function enterIdleTime(): () => Promise<void> {
  const timeline = new Timeline();
  let turns = 0;
  let isOver = false;
  const add = (ms: number, act: () => void) => timeline.add(Math.max(1, ms), undefined, act);
  const time: Time = {
    ...REAL_TIME,
    now: () => timeline.look(),
    after: add,
    every(ms, act) {
      const timer: { next?: Happening } = {};
      const again = () => {
        timer.next = add(ms, () => {
          again();
          act();
        });
      };
      again();
      return timer;
    },
    stop(timer = {}) {
      const happening = 'next' in timer ? (timer.next as Happening) : (timer as Happening);
      happening.isOff = true;
    },
    turn(act) {
      turns = 0;
      REAL_TIME.turn(act);
    },
    busyShare: () => () => 0,
  };
  const pass = async () => {
    for (turns = 0; !isOver; turns++) {
      await setImmediate();
      if (turns < QUIET_TURNS) continue;
      turns = 0;
      const { happened } = timeline;
      await timeline.run(() => isOver || timeline.happened > happened, STEP_MS);
    }
  };
  const before = enterWorld({ ...REAL_WORLD, time });
  const passing = pass();
  return async () => {
    isOver = true;
    await passing;
    enterWorld(before);
  };
}
