import type { PageBatch } from './page-batch.ts';

/** Takes pages in file order; of the same page the last one counts. The batch is borrowed until the call returns. */
export interface PageSink {
  /** Takes a batch, borrowed until the promise resolves. Rejecting stops the reading. */
  take(batch: PageBatch): void | Promise<void>;
}
