import type { ByteSource } from '../../../formats/files/source.ts';
import { returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { MIB } from '../../../formats/sizes.ts';
import { BatchQueue } from './batch-queue.ts';

/** Encodes batches anew by several threads and hands them on in their original order. */
export class EncodingQueue extends BatchQueue {
  /** Kernels copy from their own memory much faster than from memory that threads share. */
  readonly #result: Uint8Array;

  /** @param use gets batches in order, with new blocks, or as they were read */
  constructor(source: ByteSource, threads: number, use: (batch: PageBatch, isEncoded: boolean) => Promise<void>) {
    const result = takeBuffer(1.25 * MIB);
    super(source, threads, 'encode', {
      takeDone: (job) => use(job.takeResult(result), true),
      takeUndone: (batch) => use(batch, false),
    });
    this.#result = result;
  }

  override async close(): Promise<void> {
    await super.close();
    returnBuffer(this.#result);
  }
}
