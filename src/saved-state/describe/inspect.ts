import type { ByteSource } from '../../../formats/files/source.ts';
import { type Finding, Findings } from '../reading/findings.ts';
import type { SavedState } from '../reading/state.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';

/**
 * Reads a state without the contents of its pages. Checks structure and CRCs on the way, and goes on after damage where
 * the format allows it.
 * @throws FormatError when even the file header is bad; EnvironmentError, InterruptedError
 */
export async function inspect(
  source: ByteSource,
  options: Pick<WalkOptions, 'onProgress' | 'signal'> = {},
): Promise<{ state: SavedState; findings: Finding[] }> {
  const findings = new Findings();
  const state = await walkState(source, { ...options, onDamage: (error) => findings.addError(error) });
  return { state, findings: findings.list };
}
