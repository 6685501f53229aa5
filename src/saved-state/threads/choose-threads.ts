import { availableParallelism, loadavg } from 'node:os';
import type { ByteSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';

/** In smaller files a thread saves less time than its start takes. */
const WORTHWHILE = 400 * MIB;
/** More threads would wait for the thread that computes the CRC. */
const USEFUL = 2;
const MAX_THREADS = 16;

/** Number of threads to read with: as many as asked for; by default two for large files, where a processor is idle. */
export function chooseThreads({ fd, size = 0 }: ByteSource, wanted: number | undefined): number {
  if (fd === undefined) return 1;
  if (wanted !== undefined) return Math.max(1, Math.min(MAX_THREADS, Math.floor(wanted)));
  const processors = availableParallelism();
  const isIdle = loadavg()[0] <= processors - 1;
  return size >= WORTHWHILE && isIdle ? Math.min(USEFUL, processors) : 1;
}
