import { InterruptedError } from '../../formats/errors.ts';

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

/**
 * Awaits work that may never end, such as a request to a silent server; abandons it `patienceMs` after the signal.
 * @throws InterruptedError
 */
export async function unlessAborted<T>(signal: AbortSignal, patienceMs: number, work: Promise<T>): Promise<T> {
  let forget = () => {};
  let timer: NodeJS.Timeout | undefined;
  const aborted = new Promise<never>((_, reject) => {
    forget = whenAborted(signal, () => {
      timer = setTimeout(() => reject(new InterruptedError()), patienceMs);
    });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    forget();
    clearTimeout(timer);
  }
}
