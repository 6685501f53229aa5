import { expect, it } from 'vitest';
import { dryRunText } from './drain-text.ts';

it('a dry run tells of no machines where there are none, not where they do not answer', () => {
  const nothing = { moves: [], unanswered: [], targets: [] };
  expect(String(dryRunText(nothing))).toBe('no machines');
  const silent = { ...nothing, unanswered: [{ machine: 'a.sock', because: 'it hangs' }] };
  expect(String(dryRunText(silent))).toBe('a.sock does not answer: it hangs');
});
