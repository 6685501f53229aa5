import assert from 'node:assert/strict';
import { EnvironmentError, SavkitError } from '../../../formats/errors.ts';
import type { ByteSink } from '../../../formats/files/sink.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { loadState } from '../../machine/load.ts';
import type { Machine } from '../../machine/machine.ts';
import { isExecuting } from '../../machine/machine-states.ts';
import { saveState } from '../../machine/save.ts';
import type { GreatMove, MachineGame } from '../../machine/testing/machine-game.ts';
import { HostBacking } from '../../pgm/pages/host-backing.ts';
import { type LiveSaveOptions, liveSave } from '../live-save.ts';

const MOST_PASSES = 200;

/** Saves the machine, and goes on with the one that is loaded. */
export const saveAndLoad: GreatMove = async (game) => {
  const sink = new MemorySink();
  await saveState(game.machine, sink);
  await goOnWith(game, sink);
};

/**
 * Saves the machine while it runs, and goes on with what was loaded, or with the machine itself. A save without an end,
 * which the vote allows, ends as one that fails.
 */
export const saveLive: GreatMove = async (game) => {
  const sink = new MemorySink();
  if (!(await save(game, sink, { leaveSuspended: true }))) return;
  assert.equal(game.state, 'suspended');
  game.expectEqual();
  if (game.random.chance(50)) await goOnWith(game, sink);
  game.dispatch('resume');
};

/** A live save that fails or is cancelled. */
export const failToSave: GreatMove = async (game) => {
  const cancels = game.random.chance(50) ? new AbortController() : undefined;
  let left = game.random.below(12);
  const sink = {
    async write() {
      if (left-- > 0) return;
      if (!cancels) throw new EnvironmentError('EIO', 'Cannot write: made to fail');
      cancels.abort();
    },
  };
  await save(game, sink, cancels ? { signal: cancels.signal } : {});
};

/** Saves live while the machine goes on. One that fails has done no harm. @returns whether it was saved */
async function save(game: MachineGame, sink: ByteSink, options: LiveSaveOptions): Promise<boolean> {
  const meanwhile = new Meanwhile(game);
  const { runs } = meanwhile;
  const watched = { write: (bytes: Uint8Array) => sink.write(bytes).finally(runs) };
  try {
    await liveSave(game, watched, { ...options, onPass: runs, limits: { passes: MOST_PASSES } });
    return true;
  } catch (error) {
    if (!(error instanceof SavkitError)) throw error;
    const { counts } = game.machine.memory.pages;
    const left = [game.state, counts.monitored, counts.writtenTo, game.machine.memory.monitor.user];
    assert.deepEqual(left, ['running', 0, 0, undefined], 'left of a live save');
    return false;
  } finally {
    meanwhile.expectNoFailure();
  }
}

/**
 * Moves of the machine while it is saved or sent. Their number is limited, so that the save comes to an end. A fault is
 * thrown afterwards, since the save would take it for a failure of its own.
 */
export class Meanwhile {
  readonly #game: MachineGame;
  #left: number;
  #failure: unknown;

  constructor(game: MachineGame) {
    this.#game = game;
    this.#left = 10 + game.random.below(60);
  }

  readonly runs = (): void => {
    const { state, random } = this.#game;
    try {
      for (let steps = random.below(5); steps > 0 && this.#left-- > 0 && isExecuting(state); steps--) this.#game.step();
    } catch (error) {
      this.#failure ??= error;
      this.#left = 0;
    }
  };

  expectNoFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

async function goOnWith(game: MachineGame, sink: MemorySink): Promise<void> {
  const { host } = game.machine.memory.pages.backing;
  const loaded: Machine = await loadState(bufferSource(sink.view()), { backing: new HostBacking(host) });
  game.leaveHost();
  game.machine = loaded;
  game.twin.passThroughState();
}
