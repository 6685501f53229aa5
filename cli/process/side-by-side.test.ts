import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { sideBySide } from './side-by-side.ts';

it('does the given number of jobs at a time, and gives results in order', async () => {
  let [now, most] = [0, 0];
  const results = await sideBySide([5, 1, 4, 2, 3], 2, async (item) => {
    most = Math.max(most, ++now);
    for (let i = 0; i < item; i++) await setImmediate();
    now--;
    return item * 10;
  });
  expect([results, most]).toEqual([[50, 10, 40, 20, 30], 2]);
});

it('begins no job after an error, and waits for those under way', async () => {
  const [begun, over]: number[][] = [[], []];
  const work = sideBySide([1, 2, 3, 4], 2, async (item) => {
    begun.push(item);
    await setImmediate();
    if (item === 1) throw new Error('first');
    await setImmediate();
    over.push(item);
  });
  await expect(work).rejects.toThrow('first');
  expect([begun, over]).toEqual([[1, 2], [2]]);
});
