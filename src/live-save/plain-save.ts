import type { ByteSink, SeekableSink } from '../../formats/files/sink.ts';
import { clock } from '../../formats/world/waiting.ts';
import { isExecuting } from '../machine/machine-states.ts';
import { type SaveOptions, saveState } from '../machine/save.ts';
import type { LiveMachine } from './live-save.ts';

/**
 * Saves a machine that stands still: a running one is suspended, and resumed afterwards, even if the save fails.
 * @returns milliseconds for which it was suspended
 */
export async function plainSave(
  machine: LiveMachine,
  sink: ByteSink | SeekableSink,
  options: SaveOptions = {},
): Promise<number> {
  const start = clock();
  const ran = isExecuting(machine.state);
  if (ran) machine.dispatch('suspend');
  try {
    machine.dispatch('save');
    try {
      await saveState(machine.machine, sink, options);
      machine.dispatch('saved');
    } catch (error) {
      machine.dispatch('save-failed');
      throw error;
    }
  } finally {
    if (ran && machine.state === 'suspended') machine.dispatch('resume');
  }
  return ran ? clock() - start : 0;
}
