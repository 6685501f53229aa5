import { EnvironmentError, SavkitError } from '../../formats/errors.ts';

/**
 * Whether a page does without a part for an error: states lack some parts, and this host may lack memory for a part.
 * The failure of a disk has to be reported instead.
 */
export function mayLack(error: unknown, signal: AbortSignal): boolean {
  if (!(error instanceof SavkitError) || signal.aborted) return false;
  return !(error instanceof EnvironmentError) || error.code === 'no-memory';
}
