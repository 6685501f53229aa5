import { Worker } from 'node:worker_threads';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { startThread } from '../../../formats/world/start-thread.ts';
import { JobState, PageJob, type SharedJob } from './page-job.ts';
import { type PageWork, PageWorker } from './page-work.ts';

/** Data for the start of a thread. File descriptors are valid in all threads of a process. */
export interface CrewOrder {
  work: PageWork;
  source: { fd: number; name: string; size: number };
  jobs: SharedJob[];
  bell: SharedArrayBuffer;
}

/** Int32 fields of the bell: how often it was rung, and whether to end. */
export const RUNG = 0;
export const STOPPED = 1;

/** Built beside this file, and beside the bundled command line. */
const WORKER = new URL('./worker.js', import.meta.url);
const JOBS_PER_THREAD = 2;
/** Milliseconds to wait for a job: longer than a running thread needs. */
const PATIENCE = 5;
/**
 * Number of batches that are not handed over after a late job; doubled after each further one, as waiting costs time.
 */
const FIRST_PAUSE = 8;
const LONGEST_PAUSE = 256;

/**
 * Threads that work on batches of pages for the one that reads. The reading thread does not wait for threads that get
 * no processor: it does a job itself that is not begun when the result is needed.
 */
export class Crew {
  readonly #jobs: PageJob[];
  readonly #bell = new Int32Array(new SharedArrayBuffer(8));
  readonly #threads: Worker[];
  readonly #source: ByteSource;
  readonly #own: PageWorker;
  readonly #work: PageWork;
  #order = 0;
  #isBroken = false;
  /** Batches of the last pause, and those left of it. */
  #pause = 0;
  #pauseLeft = 0;

  /** @param threads in all, with this one */
  constructor(source: ByteSource, threads: number, work: PageWork) {
    this.#source = source;
    this.#work = work;
    this.#own = new PageWorker(work, source);
    this.#jobs = Array.from({ length: JOBS_PER_THREAD * threads }, () => PageJob.allocate(work !== 'walk'));
    const { fd = -1, name, size = 0 } = source;
    const order: CrewOrder = {
      work,
      source: { fd, name, size },
      jobs: this.#jobs.map(({ shared }) => shared),
      bell: this.#bell.buffer as SharedArrayBuffer,
    };
    this.#threads = Array.from({ length: threads - 1 }).flatMap(() => this.#start(order));
  }

  /**
   * Hands over a batch whose result nobody asks for, unless as many jobs wait as there are other threads. @returns
   * false if the caller has to do the work
   */
  take(batch: PageBatch): boolean {
    let ready = 0;
    for (const job of this.#jobs) {
      if (job.state === JobState.READY) ready++;
      else if (job.state === JobState.DONE) this.#end(job);
    }
    return ready < this.#threads.length && this.give(batch) !== undefined;
  }

  /**
   * Hands over a batch, with the bytes up to its end that the CRC of the file still needs; undefined where no job is
   * free, the batch is not in the file as such, or jobs were late.
   */
  give(batch: PageBatch, targets?: Float64Array): PageJob | undefined {
    if (this.#pauseLeft > 0) {
      this.#pauseLeft--;
      return undefined;
    }
    const job =
      this.#isBroken || batch.window.source !== this.#source ? undefined : this.#jobs.find(({ isFree }) => isFree);
    if (!job?.fill(batch, this.#order++)) return undefined;
    if (targets) job.targets.set(targets);
    job.offer();
    Atomics.add(this.#bell, RUNG, 1);
    Atomics.notify(this.#bell, RUNG, 1);
    if (job.summed > 0) {
      job.piece = { length: job.summed, crc: undefined, settle: () => this.#settle(job) };
      batch.window.crc?.defer(job.piece);
    }
    return job;
  }

  /**
   * Waits until a job is done, and does others meanwhile.
   * @returns false if the job failed, was not begun, or its thread gets no processor: the caller then does it with
   * `reread`
   */
  async isDone(job: PageJob): Promise<boolean> {
    if (job.claim()) job.finish(false);
    for (let isLate = false; job.state === JobState.TAKEN && !isLate; ) {
      const next = this.#jobs.findLast(({ state }) => state === JobState.READY);
      if (next?.claim()) next.finish(await this.#own.do(next));
      else isLate = !job.wait(PATIENCE);
    }
    const isDone = job.state === JobState.DONE;
    if (isDone) {
      this.#pause = 0;
      job.handOnCrc();
    } else if (job.state === JobState.TAKEN)
      this.#pauseLeft = this.#pause = Math.min(LONGEST_PAUSE, Math.max(FIRST_PAUSE, 2 * this.#pause));
    return isDone;
  }

  /** The batch of a job as it was handed over; borrowed until the next call. */
  async reread(job: PageJob): Promise<PageBatch> {
    const batch = await this.#own.read(job, job.given);
    job.handOnCrc();
    return batch;
  }

  /** Waits until all batches that `take` has handed over are done. @throws FormatError for a bad one */
  async finish(): Promise<void> {
    for (const job of this.#jobs) if (!job.isFree) await this.#settle(job);
  }

  /** Ends all threads, whatever they do. */
  async dismiss(): Promise<void> {
    Atomics.store(this.#bell, STOPPED, 1);
    Atomics.add(this.#bell, RUNG, 1);
    Atomics.notify(this.#bell, RUNG);
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
    this.#own.release();
  }

  /** Makes sure that the CRC of a job is known, and that a job whose result nobody asks for is done. */
  async #settle(job: PageJob): Promise<void> {
    if (job.claim()) job.finish(await this.#own.do(job));
    const isWalk = this.#work === 'walk';
    if (!(await this.isDone(job))) {
      const batch = await this.reread(job);
      if (isWalk) batch.walk();
    }
    if (isWalk) this.#end(job);
  }

  #end(job: PageJob): void {
    if (job.state === JobState.DONE) job.handOnCrc();
    job.free();
  }

  /** Starts a thread; if the system gives none, all jobs are done by this one. */
  #start(order: CrewOrder): Worker[] {
    const lose = () => {
      this.#isBroken = true;
    };
    return startThread(() => new Worker(WORKER, { workerData: order }), lose);
  }
}
