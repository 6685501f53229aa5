import { setTimeout } from 'node:timers/promises';
import { PAGE_SIZE } from '../../formats/units.ts';
import type { SourceMachine } from '../machine.ts';
import { PageSpace } from '../page-space.ts';
import { PageEncoder } from '../pages/page-encoder.ts';
import { PageSet } from '../pages/page-set.ts';
import { SentPages } from '../pages/sent-pages.ts';
import { loadZstd } from '../pages/zstd.ts';
import type { ForecastFigures } from '../policy/forecast.ts';
import { FRAME_PAGES } from '../wire/limits.ts';
import { PageBuffer } from '../wire/page-buffer.ts';

/** When it is looked how much has got dirty, in ms. */
const LOOKS = [50, 100, 200, 400, 800, 1600];
/** Pages encoded to see what they take: 16 MiB. */
const SAMPLE = 4096;
const DECISIONS_MS = 15;
const HASH_RATE = 3e9;

/** Measures a machine that runs on meanwhile: what it holds, what it dirties, what its pages take on the wire. @param rate expected of the link */
export async function measureMachine(machine: SourceMachine, rate: number, compress: boolean): Promise<ForecastFigures> {
  const { pageCount } = new PageSpace(machine.description.regions);
  machine.startTracking();
  try {
    await machine.takeDirty(new PageSet(pageCount));
    const start = performance.now();
    const dirty = new PageSet(pageCount);
    const curve: { ms: number; pages: number }[] = [];
    for (const look of LOOKS) {
      await setTimeout(Math.max(1, look - (performance.now() - start)));
      await machine.takeDirty(dirty);
      curve.push({ ms: performance.now() - start, pages: dirty.size });
    }
    const { contentPages, bytesPerPage } = await sample(machine, pageCount, compress);
    const fixedMs = DECISIONS_MS + (contentPages * PAGE_SIZE * 1000) / HASH_RATE;
    return { contentPages, pageCount, curve, rate, bytesPerPage, fixedMs };
  } finally {
    machine.stopTracking();
  }
}

async function sample(machine: SourceMachine, pageCount: number, compress: boolean): Promise<{ contentPages: number; bytesPerPage: number }> {
  const encoder = new PageEncoder(machine, new SentPages(pageCount), await loadZstd(), () => true);
  encoder.compress = compress;
  const buffer = new PageBuffer();
  const pages = new Uint32Array(FRAME_PAGES);
  const step = Math.max(1, Math.floor(pageCount / SAMPLE));
  let [looked, sent, bytes] = [0, 0, 0];
  for (let page = 0; page < pageCount; ) {
    let count = 0;
    for (; page < pageCount && count < FRAME_PAGES; page += step) pages[count++] = page;
    bytes += encoder.encode(buffer, 0, pages, count).length;
    looked += count;
    await setTimeout(0);
  }
  buffer.giveBack();
  sent = encoder.counts.pages.reduce((sum, n) => sum + n, 0);
  return { contentPages: Math.round((sent / looked) * pageCount), bytesPerPage: sent === 0 ? 0 : bytes / sent };
}
