import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { InterruptedError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { addressOf, releaseAddress, showAddress } from '../io/addresses.ts';
import { expectFile } from '../io/only-files.ts';
import { isUrl } from '../io/web.ts';
import { givenFiles } from '../many/given-files.ts';
import { identityOf } from '../many/journal.ts';
import type { ManyOptions } from '../many/options.ts';
import { version } from '../process/version.ts';
import type { FleetQueue, Work, WorkFile } from './engine.ts';
import { MOST_FILES } from './job-shape.ts';

/** Maximum size, in bytes, of small files that share a job. */
const BATCH_BYTES = 64 * MIB;
/** Jobs that are sent to the server at once. */
const AT_ONCE = 100;
/** Attempts at a file that could not be read. */
const ATTEMPTS = 3;
const RETRY_MS = 5000;

export interface AddOptions extends Pick<ManyOptions, 'recursive' | 'filesFrom' | 'null'> {
  operation: string;
  /** Options of the operation. */
  with: string[];
  paths: string[];
}

/** Puts files into the queue, except files that are in it already and have not changed. */
export async function addFiles(
  queue: FleetQueue,
  options: AddOptions,
  signal: AbortSignal,
): Promise<{ files: number }> {
  const { operation } = options;
  // Workers need whole addresses, which names replace in this process.
  const words = options.with.map(showAddress);
  let files = 0;
  let batch: WorkFile[] = [];
  let bytes = 0;
  let jobs: ReturnType<typeof jobOf>[] = [];
  const endBatch = async (isLast = false) => {
    if (batch.length > 0) jobs.push(jobOf({ operation, options: words, files: batch }));
    [batch, bytes] = [[], 0];
    if (jobs.length < AT_ONCE && !isLast) return;
    if (jobs.length > 0) await queue.addBulk(jobs);
    jobs = [];
  };
  for await (const { file: given, isFound } of givenFiles(options.paths, options)) {
    if (signal.aborted) throw new InterruptedError();
    // Workers have another working directory.
    const isAddress = isUrl(given);
    if (!isAddress) await expectFile(given, { attempt: 'add', why: 'workers take only files' });
    const { size, modified } = await identityOf(isAddress ? given : resolve(given));
    const file = isAddress ? addressOf(given) : resolve(given);
    releaseAddress(given);
    if (batch.length === MOST_FILES || (batch.length > 0 && bytes + (size ?? 0) > BATCH_BYTES)) await endBatch();
    batch.push({ file, size, modified, isFound });
    bytes += size ?? 0;
    files++;
  }
  await endBatch(true);
  return { files };
}

function jobOf(data: Work) {
  const retry = { attempts: ATTEMPTS, backoff: { type: 'fixed', delay: RETRY_MS } };
  return { name: data.operation, data, opts: { jobId: `savkit-${hashOf(data, data.files)}`, ...retry } };
}

/** A key for work on a file; equal work has the same key, unless the meaning of results changes. */
export function keyOf(work: Omit<Work, 'files'>, file: WorkFile): string {
  return hashOf(work, [file]);
}

function hashOf({ operation, options }: Omit<Work, 'files'>, files: readonly WorkFile[]): string {
  const [major] = version().split('.');
  const text = JSON.stringify([operation, options, major, files.map((each) => [each.file, each.size, each.modified])]);
  return createHash('sha256').update(text).digest('hex');
}
