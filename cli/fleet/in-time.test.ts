import { expect, it } from 'vitest';
import type { FleetQueue } from './engine.ts';
import { queueInTime } from './in-time.ts';

it('queueInTime() waits for no answer that has no end', async () => {
  const never = () => new Promise<never>(() => {});
  const silent: FleetQueue = { addBulk: never, getJobCounts: never, getJobs: never, close: never, on() {} };
  const queue = queueInTime(silent, { answerMs: 20, closeMs: 10 });
  const late = (ms: number) =>
    expect.objectContaining({
      code: 'no-queue',
      message: `Cannot use the queue: no whole answer within ${ms / 1000} s`,
    });
  await expect(queue.getJobCounts('waiting')).rejects.toEqual(late(20));
  await expect(queue.getJobs(['waiting'], 0, 1, true)).rejects.toEqual(late(20));
  await expect(queue.addBulk([])).rejects.toEqual(late(20));
  await expect(queue.close()).rejects.toEqual(late(10));
});

it('queueInTime() gives answers and failures on as they are', async () => {
  const failure = new Error('no column x');
  const queue = queueInTime({
    addBulk: () => Promise.reject(failure),
    getJobCounts: async () => ({ waiting: 3 }),
    getJobs: async () => [],
    close: async () => {},
    on() {},
  });
  expect(await queue.getJobCounts('waiting')).toEqual({ waiting: 3 });
  await expect(queue.addBulk([])).rejects.toBe(failure);
});
