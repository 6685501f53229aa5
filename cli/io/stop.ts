/** Aborted when the process is asked to end: then a command's work ends, and all waiting for its inputs and outputs. */
export const stop = new AbortController();

/**
 * Calls `act` once the signal is aborted, at once if it is aborted already, since no event would follow. @returns a
 * function that cancels the call
 */
export function whenAborted(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}
