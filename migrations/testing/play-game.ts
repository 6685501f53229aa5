import { REAL_TIME } from '../../formats/world/time.ts';
import { enterWorld, REAL_WORLD } from '../../formats/world/world.ts';
import { failToSave, saveAndLoad, saveLive } from '../../src/live-save/testing/great-moves.ts';
import { MachineGame } from '../../src/machine/testing/machine-game.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { migrateGame } from './migrate-game.ts';

const STEPS = 100;
/** Milliseconds that pass with each look at the clock. */
const LOOK_MS = 0.01;

/** Plays one seed's game. Time passes only by looks at the clock, so that each run is the same. */
export async function playGame(seed: number): Promise<MachineGame['done']> {
  let now = 0;
  const before = enterWorld({ ...REAL_WORLD, time: { ...REAL_TIME, now: () => (now += LOOK_MS) } });
  try {
    const game = await MachineGame.begin(seed, emptyMachine);
    await game.play(STEPS, [saveAndLoad, saveLive, failToSave, migrateGame]);
    return game.done;
  } finally {
    enterWorld(before);
  }
}
