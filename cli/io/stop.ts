import { InterruptedError } from '../../formats/errors.ts';

class Stop extends AbortController {
  /** The command has done its work: a signal that came meanwhile has stopped nothing. */
  isTooLate = false;
}

/** Aborted when the process is asked to end: then a command's work ends, and all waiting for its inputs and outputs. */
export const stop = new Stop();

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
 * Awaits work that throws unless it is done, as a command is that gives its output a name in the end: a signal that
 * comes after that does not make it an interrupted one. @param isDone tells of work that also returns when it is not
 */
export async function finishing<T>(work: Promise<T>, isDone: (value: T) => boolean = () => true): Promise<T> {
  // What is done after a signal, such as noting what was done until then, does not tell that nothing was stopped.
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
