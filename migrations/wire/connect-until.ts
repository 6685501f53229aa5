import type { Duplex } from 'node:stream';
import { unlessAborted } from '../../formats/aborting.ts';
import { InterruptedError } from '../../formats/errors.ts';

/**
 * Connects as `connect` does, but does not wait for it once the signal is aborted; a connection that it opens later is
 * closed. @throws InterruptedError
 */
export async function connectUntil(
  connect: (signal?: AbortSignal) => Promise<Duplex>,
  signal: AbortSignal | undefined,
): Promise<Duplex> {
  if (!signal) return connect();
  if (signal.aborted) throw new InterruptedError();
  const opening = connect(signal);
  try {
    return await unlessAborted(signal, 0, opening);
  } catch (error) {
    opening.then(
      (late) => late.destroy(),
      () => {},
    );
    throw error;
  }
}
