import { expect, it } from 'vitest';
import { Overtime } from './overtime.ts';

it.each([
  ['bring ever more', [10, 20, 30, 40, 50, 60], -1],
  ['bring nothing more', [10, 10, 10, 10], 3],
  ['bring more now and then', [10, 5, 9, 11, 11, 11, 12], -1],
  ['have brought all, and break before the hand-over', [100, 100, 100, 100, 100], 3],
])('Links that %s after the time limit', (_, pages, end) => {
  const overtime = new Overtime();
  expect(pages.findIndex((count) => overtime.linkLost(count))).toBe(end);
});
