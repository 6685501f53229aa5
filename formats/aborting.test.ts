import { describe, expect, it } from 'vitest';
import { unlessAborted, whenAborted } from './aborting.ts';

describe('whenAborted()', () => {
  it('acts once, also for a signal that was aborted before', () => {
    const control = new AbortController();
    const acts: string[] = [];
    whenAborted(control.signal, () => acts.push('waited'));
    const forget = whenAborted(control.signal, () => acts.push('forgotten'));
    forget();
    expect(acts).toEqual([]);
    control.abort();
    control.abort();
    whenAborted(control.signal, () => acts.push('late'));
    expect(acts).toEqual(['waited', 'late']);
  });
});

it('stops waiting for work that does not end at its signal, and takes a result that comes in time', async () => {
  const never = new Promise<number>(() => {});
  await expect(unlessAborted(AbortSignal.abort(), 0, never)).rejects.toMatchObject({ code: 'interrupted' });
  const control = new AbortController();
  const waiting = unlessAborted(control.signal, 0, never);
  control.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'interrupted' });
  expect(await unlessAborted(AbortSignal.abort(), 60_000, Promise.resolve(7))).toBe(7);
  await expect(unlessAborted(control.signal, 60_000, Promise.reject(new Error('no')))).rejects.toThrow('no');
});
