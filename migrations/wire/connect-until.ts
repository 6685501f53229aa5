import type { Duplex } from 'node:stream';
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
  let give = () => {};
  const aborted = new Promise<never>((_, reject) => {
    give = () => reject(new InterruptedError());
    signal.addEventListener('abort', give, { once: true });
  });
  try {
    return await Promise.race([opening, aborted]);
  } catch (error) {
    opening.then(
      (late) => late.destroy(),
      () => {},
    );
    throw error;
  } finally {
    signal.removeEventListener('abort', give);
  }
}
