/**
 * Aborted when somebody wants the process to end: the work of a command, and waiting for its inputs and outputs, then
 * does.
 */
export const stop = new AbortController();
