/**
 * Aborted when somebody wants the process to end: the work of a command, and waiting for its inputs and outputs, then
 * does.
 */
export const stop = new AbortController();

/**
 * Calls `act` once the signal is aborted: at once where it is already, of which an event listener would never hear.
 * Gives a function that takes this back.
 */
export function whenAborted(signal: AbortSignal, act: () => void): () => void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
  return () => signal.removeEventListener('abort', act);
}
