import { describe, expect, it, vi } from 'vitest';
import { startThread } from './start-thread.ts';

describe('startThread', () => {
  it.each(['ERR_WORKER_INIT_FAILED', 'ERR_WORKER_PATH'])('does without where the system has none left (%s)', (code) => {
    const onLost = vi.fn();
    const start = () =>
      startThread(() => {
        throw Object.assign(new Error('EAGAIN'), { code });
      }, onLost);
    if (code === 'ERR_WORKER_PATH') return expect(start).toThrow('EAGAIN');
    expect([start(), onLost.mock.calls.length]).toEqual([[], 1]);
  });
});
