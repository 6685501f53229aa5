import { workerData } from 'node:worker_threads';
import { sharedFile } from '../../../formats/files/source.ts';
import { type CrewOrder, RUNG, STOPPED } from './crew.ts';
import { JobState, PageJob } from './page-job.ts';
import { PageWorker } from './page-work.ts';

// A thread of a crew: does the oldest job first, sleeps while there is none, and ends when told to.

const { work, source, ...shared } = workerData as CrewOrder;
const jobs = shared.jobs.map((job) => new PageJob(job));
const bell = new Int32Array(shared.bell);
const worker = new PageWorker(work, sharedFile(source));

void doJobs();

async function doJobs(): Promise<void> {
  while (Atomics.load(bell, STOPPED) === 0) {
    const rung = Atomics.load(bell, RUNG);
    const job = oldestReady();
    if (!job) Atomics.wait(bell, RUNG, rung);
    else if (job.claim()) job.finish(await worker.do(job).catch(() => false));
  }
}

function oldestReady(): PageJob | undefined {
  let oldest: PageJob | undefined;
  for (const job of jobs) if (job.state === JobState.READY && (!oldest || job.order < oldest.order)) oldest = job;
  return oldest;
}
