/**
 * Tells a listener. An error of the listener stays its own: a machine under way is not lost for the sake of a report.
 */
export function tellUndisturbed<E>(listener: ((event: E) => void) | undefined, event: E): void {
  try {
    listener?.(event);
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : String(error));
  }
}
