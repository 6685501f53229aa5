import { expect, test } from 'vitest';
import { playGame } from '../testing/play-game.ts';

test('a machine with everything does as a naive one, saved, loaded and migrated while it goes on', async () => {
  const sums: Record<string, number> = {};
  for (let seed = 1; seed <= 12; seed++)
    for (const [what, count] of Object.entries(await playGame(seed))) sums[what] = (sums[what] ?? 0) + count;
  for (const [what, count] of Object.entries(sums)) expect(count, what).toBeGreaterThan(0);
});
