import { Worker } from 'node:worker_threads';
import type { ByteSource } from '../../../formats/binary/source.ts';
import type { ExtractPart } from '../plan-extraction.ts';
import type { SavedState } from '../state.ts';
import { BatchClaims, CLAIMS_SIZE } from './batch-claims.ts';

/** What the other threads do with the batches that they claim. */
export type CrewWork = { does: 'walk' } | { does: 'extract'; state: SavedState; part: ExtractPart; target: number };

/** What a thread is started with. Numbers of files hold in all threads of a process. */
export interface CrewOrder {
  work: CrewWork;
  source: { fd: number; name: string; size: number };
  claims: SharedArrayBuffer;
}

/** Built beside this file, and beside the bundled command line. */
const WORKER = new URL('./worker.js', import.meta.url);

/** Other threads that read the same file and take a share of its batches. They only ever say that all is well: what is wrong is found out alone. */
export class Crew {
  readonly claims: BatchClaims;
  readonly #workers: { worker: Worker; isGood: Promise<boolean> }[];

  /** @param count of threads, besides this one */
  constructor(source: ByteSource, count: number, work: CrewWork) {
    const claims = new SharedArrayBuffer(CLAIMS_SIZE);
    this.claims = new BatchClaims(claims);
    const { fd = -1, name, size = 0 } = source;
    const order: CrewOrder = { work, source: { fd, name, size }, claims };
    this.#workers = Array.from({ length: count }, () => start(order));
  }

  /** Once this thread has seen all batches: whether the others found no fault in those they claimed. */
  async finish(): Promise<boolean> {
    this.claims.stop();
    const verdicts = await Promise.all(this.#workers.map(({ isGood }) => isGood));
    return verdicts.every((isGood) => isGood);
  }

  /** Ends all threads, whatever they do. */
  async dismiss(): Promise<void> {
    this.claims.stop();
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }
}

function start(order: CrewOrder): { worker: Worker; isGood: Promise<boolean> } {
  const worker = new Worker(WORKER, { workerData: order });
  const isGood = new Promise<boolean>((resolve) => {
    worker.once('message', (message) => resolve(message === true));
    worker.once('error', () => resolve(false));
    worker.once('exit', () => resolve(false));
  });
  return { worker, isGood };
}
