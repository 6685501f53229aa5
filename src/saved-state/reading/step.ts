/** Options to stop an operation of several steps, and to follow its progress. */
export interface Course<Step extends string> {
  signal?: AbortSignal;
  /** Called with the current step, and its offset in its file, in bytes. */
  onProgress?: (step: Step, offset: number) => void;
}

/** Options for one step of an operation. */
export function stepOf<Step extends string>(
  { signal, onProgress }: Course<Step>,
  step: Step,
): { signal: AbortSignal | undefined; onProgress: ((offset: number) => void) | undefined } {
  return { signal, onProgress: onProgress && ((offset) => onProgress(step, offset)) };
}
