import { crc32 } from '../../../formats/binary/crc32.ts';
import { FormatError } from '../../../formats/errors.ts';
import { type ByteSource, readFrom } from '../../../formats/files/source.ts';
import { truncated, WINDOW_SIZE } from '../../../formats/files/window.ts';
import { copyBytes, returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import { INPUT_SLACK } from '../../../formats/kernels/lzf.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { BlockEncoder } from '../../../formats/ssm/writing/block-encoder.ts';
import { NOWHERE } from '../layout/placement.ts';
import type { PageJob } from './page-job.ts';

/**
 * Work on the pages of a job. `walk`: every block is checked; `decode`: pages with a target are decoded, one after the
 * other; `encode`: all pages with content are encoded anew.
 */
export type PageWork = 'walk' | 'decode' | 'encode';

/**
 * Bytes of finished pages that are gathered: copies into memory shared by threads are fast only if large and aligned.
 */
const GATHERED = MIB;
const ALIGNMENT = 8;

/** Does jobs, one after the other. Each thread has its own. */
export class PageWorker {
  readonly #work: PageWork;
  readonly #source: ByteSource;
  readonly #bytes = takeBuffer(WINDOW_SIZE + INPUT_SLACK);
  /** Finished pages, and after them the next page. */
  readonly #gathered = takeBuffer(GATHERED + PAGE_SIZE);
  readonly #encoder = new BlockEncoder();

  constructor(work: PageWork, source: ByteSource) {
    this.#work = work;
    this.#source = source;
  }

  /** Does a job that was claimed. @returns whether all went well; if not, nothing of the job has changed */
  async do(job: PageJob): Promise<boolean> {
    try {
      const pages = await this.read(job, job.pages);
      if (this.#work === 'walk') pages.walk();
      else if (this.#work === 'decode') this.#decode(pages, job);
      else this.#encode(pages, job);
      return true;
    } catch (error) {
      if (error instanceof FormatError) return false;
      throw error;
    }
  }

  /** Gives the memory back. */
  release(): void {
    returnBuffer(this.#bytes);
    returnBuffer(this.#gathered);
  }

  /**
   * Reads the bytes of records, which are borrowed until the next call, and computes the CRC of those that the job
   * names.
   * @throws FormatError `truncated` where the file was cut meanwhile
   */
  async read(job: PageJob, records: PageBatch): Promise<PageBatch> {
    const { offset, size } = job;
    const bytes = this.#bytes;
    const count = await readFrom(this.#source, bytes.subarray(0, size), offset);
    if (count < size) throw truncated('pages', offset, size, count);
    if (job.summed > 0) job.crc = crc32(bytes.subarray(size - job.summed, size));
    records.window = { bytes, spillStart: bytes.length, offsetOf: (at) => offset + at, patch: undefined };
    return records;
  }

  #decode(pages: PageBatch, { targets, result }: PageJob): void {
    const gathered = this.#gathered;
    let used = 0;
    let done = 0;
    const flush = () => {
      result.set(gathered.subarray(0, used), done);
      done += used;
      used = 0;
    };
    for (let i = 0; i < pages.count; i++) {
      if (targets[i] === NOWHERE) continue;
      if (used === GATHERED) flush();
      pages.decode(i, gathered, used);
      used += PAGE_SIZE;
    }
    flush();
  }

  #encode(pages: PageBatch, job: PageJob): void {
    const gathered = this.#gathered;
    const encoding = pages.encoding.slice();
    const at = new Uint32Array(pages.capacity);
    const length = new Uint32Array(pages.capacity);
    let used = 0;
    let done = 0;
    const flush = () => {
      const aligned = Math.ceil(used / ALIGNMENT) * ALIGNMENT;
      job.result.set(gathered.subarray(0, aligned), done);
      done += aligned;
      used = 0;
    };
    for (let i = 0; i < pages.count; i++) {
      if (encoding[i] === Encoding.NONE) continue;
      if (used + PAGE_SIZE > GATHERED) flush();
      pages.decode(i, gathered, GATHERED);
      encoding[i] = this.#encoder.encode(gathered, GATHERED, gathered, used);
      at[i] = done + used;
      length[i] = encoding[i] === Encoding.RAW ? PAGE_SIZE : encoding[i] === Encoding.LZF ? this.#encoder.length : 0;
      if (encoding[i] === Encoding.RAW) copyBytes(gathered, GATHERED, PAGE_SIZE, gathered, used);
      used += length[i];
    }
    flush();
    job.setResult(done, encoding, at, length);
  }
}
