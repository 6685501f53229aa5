import { FormatError, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import type { SavedState } from '../reading/state.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';
import { Crew } from './crew.ts';

/**
 * Walks deeply through a state with several threads. @returns undefined if anything is wrong with the state; a walk
 * with one thread then finds the fault
 */
export async function walkTogether(
  source: ByteSource,
  threads: number,
  options: Pick<WalkOptions, 'onProgress' | 'onUnit' | 'observer' | 'signal'>,
): Promise<SavedState | undefined> {
  const crew = new Crew(source, threads, 'walk');
  const take = (batch: PageBatch) => {
    if (!crew.take(batch)) batch.walk();
  };
  try {
    const state = await walkState(source, { ...options, deep: true, sink: { take } });
    await crew.finish();
    return state;
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError) return undefined;
    throw error;
  } finally {
    await crew.dismiss();
  }
}
