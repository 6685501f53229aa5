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
