/** What stops an operation, and what it tells of its course. */
export interface Course<Step extends string> {
  signal?: AbortSignal;
  /** Called with the step that is under way, and how far it has come in its file, in bytes. */
  onProgress?: (step: Step, offset: number) => void;
}

/** The options with which one step of an operation reads or writes its file. */
export function stepOf<Step extends string>(
  { signal, onProgress }: Course<Step>,
  step: Step,
): { signal: AbortSignal | undefined; onProgress: ((offset: number) => void) | undefined } {
  return { signal, onProgress: onProgress && ((offset) => onProgress(step, offset)) };
}
