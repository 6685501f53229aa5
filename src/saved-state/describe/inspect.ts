import type { ByteSource } from '../../../formats/files/source.ts';
import { type Finding, Findings } from '../reading/findings.ts';
import type { SavedState } from '../reading/state.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';

/**
 * Reads all that a state says of itself. Structure and CRCs are checked on the way, compressed page contents are not
 * looked at. Goes on after damage where the format allows it.
 * @throws FormatError when not even the file header makes sense; EnvironmentError, InterruptedError
 */
export async function inspect(
  source: ByteSource,
  options: Pick<WalkOptions, 'onProgress' | 'signal'> = {},
): Promise<{ state: SavedState; findings: Finding[] }> {
  const findings = new Findings();
  const state = await walkState(source, { ...options, onDamage: (error) => findings.addError(error) });
  return { state, findings: findings.list };
}
