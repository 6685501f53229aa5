import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GIB } from '../../formats/sizes.ts';
import type { BenchContext } from './row.ts';

/** Path of a state of 1 GiB that nothing compresses. */
export function randomState({ folder }: BenchContext): string {
  return join(folder, 'random-1024.sav');
}

export async function makeRandomState(context: BenchContext): Promise<void> {
  if (existsSync(randomState(context))) return;
  // What only makes states is kept out of the processes whose memory is measured.
  const { makeState } = await import('./make-state.ts');
  const { RandomPages } = await import('./mixed-pages.ts');
  await makeState(randomState(context), GIB, new RandomPages());
}
