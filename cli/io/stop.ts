/**
 * Aborted when somebody wants the process to end: the work of a command ends then, and all waiting for its inputs and
 * outputs.
 */
export const stop = new AbortController();

/**
 * Calls `act` once the signal is aborted; at once where it is aborted already, as no event would tell of that. Gives a
 * function that takes the call back.
 */
export function whenAborted(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}
