import { bufferSource } from '../../formats/files/source.ts';
import { memoryDigest } from '../../src/live-save/testing/memory-digest.ts';
import { loadState } from '../../src/machine/load.ts';
import { Guest } from '../../src/running/guest.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';

/** Facts about a machine that a file of it must match. */
export interface Standing {
  /** Digest of its memory. */
  digest: string;
  /** Writes of its guest so far. */
  steps: number;
}

/** Writes that a loaded guest makes to show that it goes on. */
const STEPS_AFTER = 50;

/** A machine as it stands now. */
export function standingOf({ memory, guest }: RunningMachine): Standing {
  return { digest: memoryDigest(memory), steps: guest.block.steps };
}

/**
 * Checks that the file is whole, holds the memory of the machine as it stood, and that its guest goes on from there.
 */
export async function savedFileFaults(bytes: Buffer, { digest, steps }: Standing): Promise<string[]> {
  const { verdict } = await verify(bufferSource(bytes));
  if (verdict !== 'whole') return [`the file is ${verdict}`];
  const { memory } = await loadState(bufferSource(bytes));
  const faults: string[] = memoryDigest(memory) === digest ? [] : ['the file has another memory than the machine had'];
  const guest = Guest.find(memory);
  if (!guest) return [...faults, 'the file has no guest'];
  guest.tick(STEPS_AFTER);
  if (guest.block.steps !== steps + STEPS_AFTER) faults.push(`the guest of the file is at ${guest.block.steps}`);
  return [...faults, ...guest.check().faults.map(({ what, place }) => `in the file ${what} ${place} is wrong`)];
}
