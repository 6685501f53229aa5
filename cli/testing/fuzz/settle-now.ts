import { Transform } from 'node:stream';
import { inflateSync } from 'node:zlib';

/** Size in bytes. */
const MAX_INFLATED = 1 << 26;
/** More of them than any work on a short input needs. */
const MAX_TURNS = 10_000;

/**
 * Calls a function and everything that its promise waits for, before it returns. For work that waits for no file, timer
 * or socket. Not to be called from a promise's callback.
 * @throws as the function or its promise does; Error where the promise waits for something else
 */
export function settleNow(work: () => unknown): void {
  const promise = work();
  if (!(promise instanceof Promise)) return;
  let outcome: { error?: unknown } | undefined;
  promise.then(
    () => {
      outcome = {};
    },
    (error: unknown) => {
      outcome = { error: error ?? new Error('a promise was rejected without a reason') };
    },
  );
  for (let turns = 0; outcome === undefined; turns++) {
    if (turns === MAX_TURNS) throw new Error('the input is read by something that waits for the event loop');
    tick();
  }
  if ('error' in outcome) throw outcome.error;
}

/** Calls what waits for promises and for `process.nextTick`. */
const tick = (process as unknown as { _tickCallback: () => void })._tickCallback;

/** Decompresses zlib's data once it has all of them, in this thread: the one of Node would wait for another. */
export function inflateNow(): Transform {
  const pieces: Buffer[] = [];
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      pieces.push(piece);
      done();
    },
    flush(done) {
      try {
        done(null, inflateSync(Buffer.concat(pieces), { maxOutputLength: MAX_INFLATED }));
      } catch (error) {
        done(error as Error);
      }
    },
  });
}
