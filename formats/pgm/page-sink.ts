import type { PageBatch } from './page-batch.ts';

/** Takes pages in file order; of several copies of a page, the last one counts. */
export interface PageSink {
  /** Takes a batch, borrowed until the promise resolves. Rejecting stops the reading. */
  take(batch: PageBatch): void | Promise<void>;
}
