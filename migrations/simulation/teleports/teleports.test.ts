import { describe, expect, it } from 'vitest';
import { judgeTeleport } from './judge-teleport.ts';
import { drawTeleportScenario } from './teleport-scenario.ts';

/** The user lets a machine go on that has been sent, before it is handed over. */
const RESUMED = 8;
/** Seeds that find faults which are put in on purpose (`teleport-mutations.ts`). */
const FIND_FAULTS = [18, 31, 79];
/** The target's host crashes just after a copy got its name. */
const COPIED = 320;

describe('teleports in a simulated world', () => {
  it('end with one machine, and with files as both sides were told, whatever goes wrong', async () => {
    const ends = new Set<string>();
    for (const seed of [RESUMED, COPIED, ...FIND_FAULTS, ...Array(15).keys()]) {
      const verdict = await judgeTeleport(drawTeleportScenario(seed));
      expect(verdict.faults, `seed ${seed}`).toEqual([]);
      for (const end of verdict.sourceEnds) ends.add(end);
    }
    // Else little would have been tried.
    expect([...ends]).toEqual(expect.arrayContaining(['handed-over', 'refused-by-target', 'hand-over-unknown']));
  });

  it('happen again just so', async () => {
    const [one, other] = [await judgeTeleport(drawTeleportScenario(6)), await judgeTeleport(drawTeleportScenario(6))];
    expect(other).toEqual(one);
  });
});
