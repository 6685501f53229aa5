/** What stops an operation, and what it tells of its course. */
export interface Course<Step extends string> {
  signal?: AbortSignal;
  /** Called with the step that is under way, and how far it has come in its file, in bytes. */
  onProgress?: (step: Step, offset: number) => void;
}

/** One step of an operation, as whatever reads or writes a file for it takes it. */
export function stepOf<Step extends string>(
  { signal, onProgress }: Course<Step>,
  step: Step,
): { signal: AbortSignal | undefined; onProgress: ((offset: number) => void) | undefined } {
  return { signal, onProgress: onProgress && ((offset) => onProgress(step, offset)) };
}
