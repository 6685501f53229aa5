/** Calls a listener, and ignores its errors: a machine under way is not lost for the sake of a report. */
export function tellUndisturbed<E>(listener: ((event: E) => void) | undefined, event: E): void {
  try {
    listener?.(event);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
