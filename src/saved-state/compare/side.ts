import { FormatError, UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { expectMemory, readState } from '../families/read-state.ts';
import type { RangeNames, StateView } from '../reading/state-view.ts';

/** One side of a comparison. */
export interface Side {
  source: ByteSource;
  state: StateView;
  names: RangeNames;
}

/** @throws FormatError `pages-missing`, as zeros would be compared in the place of lost pages */
export async function openSide(source: ByteSource): Promise<Side> {
  if (!source.seekable)
    throw new UsageError(
      'not-seekable',
      `Cannot compare ${source.name}: it has to be read several times, so it must be a file`,
    );
  const state = await readState(source, { skipCrc: true });
  const { names, missing } = expectMemory(state);
  if (missing !== undefined) throw new FormatError('pages-missing', `Cannot compare ${source.name}: ${missing}`);
  return { source, state, names };
}
