import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { sharedFile } from '../../../formats/binary/source.ts';
import { InterruptedError } from '../../../formats/errors.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { ImageSink } from '../image-sink.ts';
import { planExtraction } from '../plan-extraction.ts';
import { type PageSink, walkState } from '../walk.ts';
import { BatchClaims } from './batch-claims.ts';
import type { CrewOrder, CrewWork } from './crew.ts';

// A thread of a crew: reads the file, works on the batches that it claims, and says at its end whether all was well.

const { work, source, claims: shared } = workerData as CrewOrder;
const claims = new BatchClaims(shared);
const stopping = new AbortController();
const { sink, end } = sinkFor(work);

const stoppable: PageSink = {
  take: (batch) => {
    if (claims.isStopped) stopping.abort();
    else return sink.take(batch);
  },
};

void readAll().then((isGood) => parentPort?.postMessage(isGood));

async function readAll(): Promise<boolean> {
  let isGood = true;
  try {
    await walkState(sharedFile(source), { skipCrc: true, sink: stoppable, signal: stopping.signal });
  } catch (error) {
    isGood = error instanceof InterruptedError;
  }
  await end();
  return isGood;
}

function sinkFor(work: CrewWork): { sink: PageSink; end(): Promise<void> } {
  if (work.does === 'walk') {
    const take = (batch: PageBatch) => {
      if (claims.takesNext()) batch.walk();
    };
    return { sink: { take }, end: async () => {} };
  }
  const { state, part, target } = work;
  const plan = planExtraction(state, part);
  const file = {
    async writeAt(bytes: Uint8Array, position: number) {
      for (let done = 0; done < bytes.length; ) done += writeSync(target, bytes, done, bytes.length - done, position + done);
    },
  };
  const sink = new ImageSink(file, plan.placement, plan.layout.size, plan.full ? 'write' : 'skip', claims);
  return { sink, end: () => sink.flush() };
}
