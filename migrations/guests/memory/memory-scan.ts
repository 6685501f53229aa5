import { Worker } from 'node:worker_threads';
import { startThread } from '../../../formats/world/start-thread.ts';
import { clock, turn } from '../../../formats/world/waiting.ts';
import { world } from '../../../formats/world/world.ts';
import type { PageHashes } from '../../machine/page-hashes.ts';
import { PageSet } from '../../machine/page-set.ts';
import type { RamFiles } from './ram-files.ts';
import { type ScanOrder, type ScanWork, scanChunks } from './scan-chunks.ts';

/** Built beside this file, and beside the bundled command line. */
const WORKER = new URL('./scan-worker.js', import.meta.url);
/** Maximum number of threads; more would wait for memory. */
const MOST_THREADS = 8;
/** Time in ms after which the main thread, which also serves the network, gives other work its turn. */
const TURN_MS = 5;

/**
 * Hashes all memory of a guest with all processors. If threads do not start, or die, the main thread does their part.
 */
export class MemoryScan {
  /** Time of the last pass, in ms. */
  lastMs = 0;
  readonly #ram: RamFiles;
  readonly #found: PageSet;
  readonly #next = new Int32Array(new SharedArrayBuffer(4));
  #threads: Worker[];
  #passes = 0;

  constructor(ram: RamFiles, threads = Math.min(MOST_THREADS, world.process.threads())) {
    this.#ram = ram;
    this.#found = PageSet.shared(ram.pageCount);
    this.#threads = Array.from({ length: threads - 1 }).flatMap(() => this.#startThread());
  }

  /** Adds pages whose hashes differ from the known ones. @throws EnvironmentError, MigrationError `ram-gone` */
  async find(known: PageHashes, into: PageSet): Promise<void> {
    this.#found.clear();
    await this.#pass('find', known);
    into.union(this.#found);
  }

  /** Stores the hashes of memory in `known`. @throws EnvironmentError, MigrationError `ram-gone` */
  learn(known: PageHashes): Promise<void> {
    return this.#pass('learn', known);
  }

  close(): void {
    for (const thread of this.#threads) void thread.terminate();
    this.#threads = [];
  }

  async #pass(work: ScanWork, known: PageHashes): Promise<void> {
    const start = clock();
    Atomics.store(this.#next, 0, 0);
    const { words: found } = this.#found;
    const order: ScanOrder = {
      number: ++this.#passes,
      work,
      places: this.#ram.places,
      known: known.words,
      found,
      next: this.#next,
    };
    const others = this.#threads.map((thread) => endOf(thread, order));
    await this.#scanHere(order);
    const areDone = await Promise.all(others);
    // Chunks that a dead thread had taken have to be scanned again.
    if (areDone.includes(false)) {
      Atomics.store(this.#next, 0, 0);
      await this.#scanHere(order);
    }
    this.lastMs = clock() - start;
  }

  async #scanHere(order: ScanOrder): Promise<void> {
    for (;;) {
      const until = clock() + TURN_MS;
      if (scanChunks(order, () => clock() < until)) return;
      await turn();
    }
  }

  #startThread(): Worker[] {
    const lose = (thread?: Worker) => {
      this.#threads = this.#threads.filter((each) => each !== thread);
    };
    const started = startThread(() => new Worker(WORKER), lose);
    for (const thread of started) thread.unref();
    return started;
  }
}

/** Starts a scan in a thread. @returns whether the thread finished */
function endOf(thread: Worker, order: ScanOrder): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (number: unknown) => {
      if (number === order.number) end(true);
    };
    const lost = () => end(false);
    const end = (isDone: boolean) => {
      thread.off('message', done).off('exit', lost).off('error', lost);
      resolve(isDone);
    };
    thread.on('message', done).once('exit', lost).once('error', lost);
    thread.postMessage(order);
  });
}
