import type { Worker } from 'node:worker_threads';

/**
 * Starts a thread that helps with work; the work can go on without it.
 * @param start makes the thread
 * @param onLost called without a thread if the system has none left, and with a thread that has ended by itself
 * @returns the thread, or nothing if the system has none left
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
