import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { Crew } from './crew.ts';
import type { PageJob } from './page-job.ts';
import type { PageWork } from './page-work.ts';

/** Gets batches in their original order. */
export interface BatchUser {
  /** A thread's result for a batch; borrowed until the next call of `takeDone` has returned. */
  takeDone(job: PageJob): Promise<void>;
  /** A batch that no thread has worked on, as it was read. */
  takeUndone(batch: PageBatch, targets: Float64Array | undefined): Promise<void>;
}

/** Spreads batches over several threads, and hands the results on in the order of the batches. */
export class BatchQueue {
  readonly #crew: Crew;
  readonly #user: BatchUser;
  readonly #jobs: PageJob[] = [];
  /** The job whose result the user may still have. */
  #lent: PageJob | undefined;

  constructor(source: ByteSource, threads: number, work: Exclude<PageWork, 'walk'>, user: BatchUser) {
    this.#crew = new Crew(source, threads, work);
    this.#user = user;
  }

  /**
   * @param targets where each page belongs; borrowed as the batch is
   * @throws FormatError for damage in an earlier batch, and errors of the `BatchUser`
   */
  async put(batch: PageBatch, targets?: Float64Array): Promise<void> {
    let job = this.#crew.give(batch, targets);
    if (!job && this.#jobs.length > 0) {
      await this.#handOn();
      job = this.#crew.give(batch, targets);
    }
    if (job) this.#jobs.push(job);
    else {
      await this.drain();
      await this.#user.takeUndone(batch, targets);
    }
  }

  /** Waits for all results, and hands them on. */
  async drain(): Promise<void> {
    while (this.#jobs.length > 0) await this.#handOn();
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#crew.dismiss();
  }

  async #handOn(): Promise<void> {
    const job = this.#jobs.shift();
    if (!job) return;
    if (await this.#crew.isDone(job)) {
      await this.#user.takeDone(job);
      this.#lent?.free();
      this.#lent = job;
    } else {
      await this.#user.takeUndone(await this.#crew.reread(job), job.targets);
      job.free();
    }
  }
}
