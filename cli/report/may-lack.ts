import { EnvironmentError, SavkitError } from '../../formats/errors.ts';

/**
 * Whether a page does without a part for an error: states lack some parts, and this host may lack memory for one. A
 * disk that fails has to be told instead.
 */
export function mayLack(error: unknown, signal: AbortSignal): boolean {
  if (!(error instanceof SavkitError) || signal.aborted) return false;
  return !(error instanceof EnvironmentError) || error.code === 'no-memory';
}
