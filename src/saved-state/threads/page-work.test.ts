import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../formats/binary/crc32.ts';
import { type ByteSource, openFile } from '../../../formats/files/source.ts';
import { BATCH_CAPACITY, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { BlockEncoder } from '../../../formats/ssm/writing/block-encoder.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { NOWHERE } from '../layout/placement.ts';
import { walkState } from '../reading/walk.ts';
import { JobState, PageJob } from './page-job.ts';
import { type PageWork, PageWorker } from './page-work.ts';

// The work of another thread is done in this one; as there, it gets its jobs through shared memory.

const path = join(STATES_FOLDER, 'own-long.sav');

/** Makes a job of each batch, has a worker do it, and hands both to `see`. */
async function eachJob(
  work: PageWork,
  see: (batch: PageBatch, job: PageJob) => void,
  change?: (job: PageJob) => void,
): Promise<boolean[]> {
  const source = await openFile(path);
  const worker = new PageWorker(work, source);
  const verdicts: boolean[] = [];
  const take = async (batch: PageBatch) => {
    const job = PageJob.allocate(work !== 'walk');
    expect(job.fill(batch, 0)).toBe(true);
    change?.(job);
    job.offer();
    const seenByOthers = new PageJob(job.shared);
    expect([seenByOthers.claim(), seenByOthers.claim()]).toEqual([true, false]);
    seenByOthers.finish(await worker.do(seenByOthers));
    verdicts.push(job.state === JobState.DONE);
    see(batch, job);
  };
  await walkState(source, { sink: { take } });
  worker.release();
  await source.close();
  return verdicts;
}

function contentOf(batch: PageBatch, i: number): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  batch.decode(i, page, 0);
  return page;
}

describe('PageWorker', () => {
  it('encodes pages as a writer alone does, whatever copy of the result is taken', async () => {
    const encoder = new BlockEncoder();
    const block = new Uint8Array(2 * PAGE_SIZE);
    const seen = new Set<number>();
    const see = (batch: PageBatch, job: PageJob) => {
      for (const room of [new Uint8Array(2 * 1024 * 1024), new Uint8Array(0)]) {
        const made = job.takeResult(room);
        expect(made.count).toBe(batch.count);
        for (let i = 0; i < batch.count; i++) {
          const isEmpty = batch.encoding[i] === Encoding.NONE;
          const page = contentOf(batch, i);
          const encoding = isEmpty ? Encoding.NONE : encoder.encode(page, 0, block, 0);
          seen.add(encoding);
          expect([made.kind[i], made.page[i], made.id[i], made.encoding[i]]).toEqual([
            batch.kind[i],
            batch.page[i],
            batch.id[i],
            encoding,
          ]);
          expect(Buffer.compare(contentOf(made, i), page)).toBe(0);
          if (encoding === Encoding.LZF) expect(made.length[i]).toBe(encoder.length);
        }
      }
    };
    expect(await eachJob('encode', see)).not.toContain(false);
    expect(seen.has(Encoding.LZF) && seen.has(Encoding.NONE)).toBe(true);
  });

  it('decodes pages that have a place, one after the other', async () => {
    const targets = Float64Array.from({ length: BATCH_CAPACITY }, (_, i) => (i % 3 === 0 ? NOWHERE : i * PAGE_SIZE));
    const see = (batch: PageBatch, { result }: PageJob) => {
      const wanted = Array.from({ length: batch.count }, (_, i) => i).filter((i) => targets[i] !== NOWHERE);
      for (const [k, i] of wanted.entries())
        expect(Buffer.compare(result.subarray(k * PAGE_SIZE, (k + 1) * PAGE_SIZE), contentOf(batch, i))).toBe(0);
    };
    expect(await eachJob('decode', see, (job) => job.targets.set(targets))).not.toContain(false);
  });

  it('computes CRCs of all bytes that the CRC of the file needs, without a gap', async () => {
    let end: number | undefined;
    const bytes = readFileSync(path);
    const see = (batch: PageBatch, { offset, size, summed, crc }: PageJob) => {
      const start = offset + size - summed;
      expect(summed).toBeGreaterThan(0);
      if (end !== undefined) expect(start).toBe(end);
      end = offset + size;
      expect(crc).toBe(crc32(bytes.subarray(start, end)));
      batch.window.crc?.defer({ length: summed, crc, settle: async () => {} });
    };
    expect(await eachJob('walk', see)).not.toContain(false);
    expect(end).toBeGreaterThan(bytes.length / 2);
  });

  it('finds damage, and a file that has become shorter', async () => {
    const cut: ByteSource = { name: 'cut', size: 0, seekable: true, read: async () => 0, close: async () => {} };
    const source = await openFile(path);
    for (const work of ['walk', 'encode'] as const) {
      const breaks = (job: PageJob) => {
        const block = job.given.encoding.indexOf(Encoding.LZF);
        if (block >= 0) job.pages.length[block]--;
      };
      expect(await eachJob(work, () => {}, breaks)).toContain(false);
      const job = PageJob.allocate(work === 'encode');
      await walkState(source, { sink: { take: (batch) => void job.fill(batch, 0) } });
      job.offer();
      expect(job.claim()).toBe(true);
      expect(await new PageWorker(work, cut).do(job)).toBe(job.size === 0);
    }
    await source.close();
  });
});

describe('PageJob', () => {
  it('is free again when all that use it are done', async () => {
    const job = PageJob.allocate(false);
    expect(job.isFree).toBe(true);
    job.offer();
    expect(job.isFree).toBe(false);
    expect(job.claim()).toBe(true);
    job.free();
    expect(job.isFree).toBe(false);
    job.finish(true);
    expect(job.isFree).toBe(true);
  });
});
