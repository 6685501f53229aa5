import type { ByteSource } from '../../../formats/files/source.ts';
import { returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { MIB } from '../../../formats/sizes.ts';
import { Crew } from './crew.ts';
import type { PageJob } from './page-job.ts';

/** Gets batches in order, with blocks that were made anew, or as they were read. */
export type BatchUser = (batch: PageBatch, isEncoded: boolean) => Promise<void>;

/** Encodes batches anew by several threads and hands them on in the order in which they came. */
export class EncodingQueue {
  readonly #crew: Crew;
  readonly #use: BatchUser;
  readonly #jobs: PageJob[] = [];
  /** Kernels copy from their own memory much faster than from what threads share. */
  readonly #result = takeBuffer(1.25 * MIB);

  constructor(source: ByteSource, threads: number, use: BatchUser) {
    this.#crew = new Crew(source, threads, 'encode');
    this.#use = use;
  }

  /** @throws FormatError for damage in a batch that came before, and whatever its user throws */
  async put(batch: PageBatch): Promise<void> {
    let job = this.#crew.give(batch);
    if (!job && this.#jobs.length > 0) {
      await this.#handOn();
      job = this.#crew.give(batch);
    }
    if (job) this.#jobs.push(job);
    else {
      await this.drain();
      await this.#use(batch, false);
    }
  }

  /** Hands on all that is left. */
  async drain(): Promise<void> {
    while (this.#jobs.length > 0) await this.#handOn();
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#crew.dismiss();
    returnBuffer(this.#result);
  }

  async #handOn(): Promise<void> {
    const job = this.#jobs.shift();
    if (!job) return;
    if (await this.#crew.isDone(job)) await this.#use(job.takeResult(this.#result), true);
    else await this.#use(await this.#crew.reread(job), false);
    job.free();
  }
}
