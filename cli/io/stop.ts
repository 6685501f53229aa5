import { setMaxListeners } from 'node:events';
import { InterruptedError } from '../../formats/errors.ts';

class Stop extends AbortController {
  /** The command has done its work: a signal that came meanwhile has stopped nothing. */
  isTooLate = false;
}

/** Aborted when the process is asked to end: then a command's work ends, and all waiting for its inputs and outputs. */
export const stop = new Stop();
// Many machines may be asked at a time, which is no leak.
setMaxListeners(0, stop.signal);

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
 * Awaits the work of a command. Once it is done, and its output has a name, a later signal has interrupted nothing.
 * @param isDone tells whether work that has returned is done
 */
export async function finishing<T>(work: Promise<T>, isDone: (value: T) => boolean = () => true): Promise<T> {
  // Work that begins after a signal, such as a note of the part that is done, finishes no command.
  const wasStopped = stop.signal.aborted;
  const value = await work;
  if (!wasStopped && isDone(value)) stop.isTooLate = true;
  return value;
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
