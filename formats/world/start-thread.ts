import type { Worker } from 'node:worker_threads';

/**
 * Starts a thread that helps with work which could go on without it.
 * @param start makes it
 * @param onLost called where the system has no thread left, and with a thread that has ended by itself
 * @returns the thread; none where there is none to be had
 */
export function startThread(start: () => Worker, onLost: (thread?: Worker) => void): Worker[] {
  try {
    const thread = start();
    const lose = () => onLost(thread);
    return [thread.once('error', lose).once('exit', lose)];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_INIT_FAILED') throw error;
    onLost();
    return [];
  }
}
