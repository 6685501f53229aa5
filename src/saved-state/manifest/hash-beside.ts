import { Worker } from 'node:worker_threads';
import { InterruptedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { startThread } from '../../../formats/world/start-thread.ts';
import { chooseThreads } from '../threads/choose-threads.ts';
import { type FileHashes, type FileStretch, type HashOptions, hashFile } from './file-hashes.ts';

/** Data for the start of the thread. File descriptors are valid in all threads of a process. */
export interface HashOrder {
  source: { fd: number; name: string; size: number };
  stretches: readonly FileStretch[];
}

/** Built beside this file, and beside the bundled command line. */
const WORKER = new URL('./hash-worker.js', import.meta.url);

/** Hashes of a file, computed by another thread meanwhile. */
export class HashBeside {
  readonly #source: ByteSource;
  readonly #stretches: readonly FileStretch[];
  readonly #threads: Worker[];
  #offset = 0;
  /** Undefined if the thread has failed. */
  #settle: (hashes: FileHashes | undefined) => void = () => {};
  readonly #result: Promise<FileHashes | undefined>;

  /** @param stretches as of `hashFile` @param wanted number of threads asked for, with this one */
  constructor(source: ByteSource, stretches: readonly FileStretch[], wanted: number | undefined) {
    this.#source = source;
    this.#stretches = stretches;
    this.#result = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const { fd = -1, name, size = 0 } = source;
    const order: HashOrder = { source: { fd, name, size }, stretches };
    const isWorthwhile = chooseThreads(source, wanted) > 1;
    const lose = () => this.#settle(undefined);
    this.#threads = isWorthwhile ? startThread(() => new Worker(WORKER, { workerData: order }), lose) : [];
    this.#threads[0]?.on('message', (message: number | FileHashes) => {
      if (typeof message === 'number') this.#offset = message;
      else this.#settle(message);
    });
    if (this.#threads.length === 0) lose();
  }

  /** Waits for the hashes, or computes them here where there is no such thread. @throws as `hashFile` does */
  async result({ signal, onProgress }: HashOptions): Promise<FileHashes> {
    const tell = setInterval(() => onProgress?.(this.#offset), 100);
    const stop = () => this.#settle(undefined);
    signal?.addEventListener('abort', stop);
    if (signal?.aborted) stop();
    const hashes = await this.#result;
    clearInterval(tell);
    signal?.removeEventListener('abort', stop);
    if (signal?.aborted) throw new InterruptedError();
    return hashes ?? hashFile(this.#source, this.#stretches, { signal, onProgress });
  }

  /** Ends the thread; to be called before the file is closed. */
  async dismiss(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}
