import { setTimeout } from 'node:timers/promises';
import { EnvironmentError } from '../../formats/errors.ts';
import type { FleetQueue } from './engine.ts';

/** Time for an answer: one with five results, or to a hundred new jobs, takes less than a second. */
const ANSWER_MS = 60_000;
/** Time for the end of a connection, when all is done. */
const CLOSE_MS = 5000;

/**
 * A queue whose server has to answer in time: its client would wait for ever for the end of an answer.
 * @returns a queue whose calls reject with EnvironmentError `no-queue`
 */
export function queueInTime(queue: FleetQueue, { answerMs = ANSWER_MS, closeMs = CLOSE_MS } = {}): FleetQueue {
  return {
    addBulk: (jobs) => inTime(queue.addBulk(jobs), answerMs),
    getJobCounts: (...states) => inTime(queue.getJobCounts(...states), answerMs),
    getJobs: (...words) => inTime(queue.getJobs(...words), answerMs),
    close: () => inTime(queue.close(), closeMs),
    on: (event, handle) => queue.on(event, handle),
  };
}

async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  const over = new AbortController();
  // A failure of the answer may come when the time is over, and nobody waits for it.
  answer.catch(() => {});
  const late = setTimeout(ms, undefined, { signal: over.signal }).then(() => {
    throw new EnvironmentError('no-queue', `Cannot use the queue: no whole answer within ${ms / 1000} s`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
}
