import { UnsupportedError } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { familyOf, readState } from '../../src/saved-state/families/read-state.ts';
import type { StateFamily } from '../../src/saved-state/reading/families.ts';
import { withInput } from './input.ts';
import { fromOtherFile } from './other-files.ts';

/**
 * Opens the state against which another state is checked; both must be of one family.
 * @throws UnsupportedError `other-machine` for a state of the other family; errors of reading a file that is no state
 */
export function withOtherState<T>(
  path: string,
  family: StateFamily,
  signal: AbortSignal,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  return fromOtherFile(() =>
    withInput(path, async (whole) => {
      const { family: other, source } = await familyOf(whole);
      if (other === family) return use(source);
      // Reading throws for a damaged file, or one that is no state.
      await readState(source, { signal });
      throw new UnsupportedError(
        'other-machine',
        `Cannot check a state of ${family.title} against ${path}: that is one of ${other.title}, whose machines load ` +
          'no such state',
      );
    }),
  );
}
