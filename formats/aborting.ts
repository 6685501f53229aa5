import { InterruptedError } from './errors.ts';
import type { TimerHandle } from './world/time.ts';
import { after, stopTimer } from './world/waiting.ts';

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
  let timer: TimerHandle | undefined;
  const aborted = new Promise<never>((_, reject) => {
    forget = whenAborted(signal, () => {
      timer = after(patienceMs, () => reject(new InterruptedError()));
    });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    forget();
    stopTimer(timer);
  }
}
