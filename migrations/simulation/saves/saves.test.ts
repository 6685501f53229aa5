import { describe, expect, it } from 'vitest';
import { judgeSave } from './judge-save.ts';
import { drawSaveScenario } from './save-scenario.ts';

/** Cancelled in the very moment in which it begins. */
const CANCELLED_AT_ONCE = 900_206;
/** The user lets a machine go on that was too suspended to be saved. */
const RESUMED = 1_000_235;
/** A crash brings back the older name, after a sync of the folder that failed. */
const NOT_DURABLE = 1_100_637;

describe('live saves in a simulated world', () => {
  it('harm no machine, and leave whole files or none, whatever goes wrong', { timeout: 60_000 }, async () => {
    const ends = new Set<string>();
    for (const seed of [CANCELLED_AT_ONCE, RESUMED, NOT_DURABLE, ...Array.from({ length: 25 }, (_, i) => i + 1)]) {
      const verdict = await judgeSave(drawSaveScenario(seed));
      expect(verdict.faults, `seed ${seed}`).toEqual([]);
      for (const end of verdict.ends) ends.add(end);
    }
    // Else little would have been tried.
    expect([...ends]).toEqual(expect.arrayContaining(['saved', 'interrupted', 'EIO']));
  });

  it('happen again just so', async () => {
    const [one, other] = [await judgeSave(drawSaveScenario(3)), await judgeSave(drawSaveScenario(3))];
    expect(other).toEqual(one);
  });
});
