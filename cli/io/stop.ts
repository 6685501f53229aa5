import { setMaxListeners } from 'node:events';

class Stop extends AbortController {
  /** The command has done its work: a signal that came meanwhile has stopped nothing. */
  isTooLate = false;
}

/** Aborted when the process is asked to end: then a command's work ends, and all waiting for its inputs and outputs. */
export const stop = new Stop();
// Many machines may be asked at a time, which is no leak.
setMaxListeners(0, stop.signal);

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
