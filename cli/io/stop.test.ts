import { describe, expect, it } from 'vitest';
import { whenAborted } from './stop.ts';

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
