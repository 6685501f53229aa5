import { clock, sleep } from '../../formats/world/waiting.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { PageHashes } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import { PageSpace } from '../machine/page-space.ts';
import { PageEncoder } from '../pages/page-encoder.ts';
import { SentPages } from '../pages/sent-pages.ts';
import { loadZstd } from '../pages/zstd.ts';
import { chooseCompression } from '../policy/choose-compression.ts';
import type { ForecastFigures } from '../policy/forecast.ts';
import { measureHashing } from '../proof/measure-hashing.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';
import { FRAME_PAGES } from '../wire/limits.ts';
import { PageBuffer } from '../wire/page-buffer.ts';
import type { CompressionChoice } from './options.ts';
import { REST_TIMES } from './stop-costs.ts';

/** Times at which the dirty pages are counted, in ms. */
const LOOKS = [50, 100, 200, 400, 800, 1600];
/** Pages encoded as a sample: 16 MiB. */
const SAMPLE = 4096;
/** Time for writing three decisions to disk. */
const DECISIONS_MS = 15;

/**
 * Measures a machine while it runs: its content, how fast it dirties memory, the size of its pages on the wire.
 * @param rate expected bytes per second of the link
 */
export async function measureMachine(
  machine: SourceMachine,
  rate: number,
  compression: CompressionChoice,
): Promise<ForecastFigures> {
  const { pageCount } = new PageSpace(machine.description.regions);
  const known = new PageHashes(pageCount);
  const hasher = new MemoryHasher(machine);
  await machine.startTracking(known);
  try {
    if (machine.comparesMemory) await hasher.refresh(known);
    else {
      await machine.takeDirty(new PageSet(pageCount));
      // Pages that are dirty again at once are hot; their hashes are known anew.
      const again = new PageSet(pageCount);
      await machine.takeDirty(again);
      hasher.refreshSome(known, again);
    }
    const start = clock();
    const dirty = new PageSet(pageCount);
    const curve: { ms: number; pages: number }[] = [];
    let lookMs = Number.POSITIVE_INFINITY;
    for (const look of LOOKS) {
      await sleep(Math.max(1, look - (clock() - start)));
      const began = clock() - start;
      await machine.takeDirty(dirty);
      const took = clock() - start - began;
      lookMs = Math.min(lookMs, took);
      // On average, a search reads a page after half of its time.
      curve.push({ ms: began + took / 2, pages: dirty.size });
    }
    const { contentPages, ...perPage } = await samplePages(machine, pageCount, rate, compression);
    const restStart = clock();
    await machine.outline();
    const otherMs = DECISIONS_MS + (machine.stopMs ?? (clock() - restStart) * REST_TIMES);
    const hashMs = contentPages * (await measureHashing(machine, pageCount));
    return { contentPages, pageCount, curve, rate, ...perPage, lookMs, hashMs, otherMs };
  } finally {
    await machine.stopTracking();
  }
}

interface Sample {
  contentPages: number;
  bytesPerPage: number;
  /** Processor time for a page. */
  msPerPage: number;
}

/** Encodes sample pages as they would be sent: compressed if the link is slow enough. */
async function samplePages(
  machine: SourceMachine,
  pageCount: number,
  rate: number,
  compression: CompressionChoice,
): Promise<Sample> {
  if (compression !== 'auto') return encodeSample(machine, pageCount, compression === 'always');
  const plain = await encodeSample(machine, pageCount, false);
  const packed = await encodeSample(machine, pageCount, true);
  const waitingShare = 1 - (plain.msPerPage * rate) / (plain.bytesPerPage * 1000);
  const compresses = chooseCompression({
    compresses: false,
    waitingShare,
    ratio: packed.bytesPerPage / plain.bytesPerPage,
    rate,
  });
  return compresses ? packed : plain;
}

async function encodeSample(machine: SourceMachine, pageCount: number, compress: boolean): Promise<Sample> {
  const encoder = new PageEncoder(machine, new SentPages(pageCount), await loadZstd(), () => true);
  encoder.compress = compress;
  const buffer = new PageBuffer();
  const pages = new Uint32Array(FRAME_PAGES);
  const step = Math.max(1, Math.floor(pageCount / SAMPLE));
  let [looked, bytes, ms] = [0, 0, 0];
  for (let page = 0; page < pageCount; ) {
    let count = 0;
    for (; page < pageCount && count < FRAME_PAGES; page += step) pages[count++] = page;
    const start = clock();
    bytes += encoder.encode(buffer, 0, pages, count).length;
    ms += clock() - start;
    looked += count;
    await sleep(0);
  }
  buffer.giveBack();
  const sent = encoder.counts.pages.reduce((sum, n) => sum + n, 0);
  const perPage = (sum: number) => (sent === 0 ? 0 : sum / sent);
  return {
    contentPages: Math.round((sent / looked) * pageCount),
    bytesPerPage: perPage(bytes),
    msPerPage: perPage(ms),
  };
}
