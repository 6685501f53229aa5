import { bufferSource } from '../files/source.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../pgm/page-batch.ts';
import { isPgm, PgmReader } from '../pgm/pgm-reader.ts';
import { openContainer } from '../ssm/open.ts';
import { PAGE } from './pgm-machine.ts';
import { hexOf, type Memory, pageName } from './pgm-memory.ts';

export interface PgmReading {
  reader: PgmReader;
  /** Last write wins, in the form of `expectedMemory`. */
  memory: Memory;
  /** Records by `PageKind`, of all passes. */
  records: number[];
}

/** Reads every pgm unit of a container with the reader under test. */
export async function readPgm(bytes: Uint8Array, ramSizeHint?: number): Promise<PgmReading> {
  const container = await openContainer(bufferSource(bytes));
  const reader = new PgmReader(container);
  reader.ramSizeHint = ramSizeHint;
  const reading: PgmReading = { reader, memory: new Map(), records: new Array(9).fill(0) };
  try {
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      if (!isPgm(unit)) continue;
      await reader.begin(unit);
      while (await reader.nextPages()) keep(reading, reader.batch);
    }
    return reading;
  } finally {
    container.release();
  }
}

/** Reads no contents: for inputs of which only the records count. */
export async function countPgm(bytes: Uint8Array): Promise<number> {
  const container = await openContainer(bufferSource(bytes));
  const reader = new PgmReader(container);
  let count = 0;
  try {
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      if (!isPgm(unit)) continue;
      await reader.begin(unit);
      while (await reader.nextPages()) count += reader.batch.count;
    }
    return count;
  } finally {
    container.release();
  }
}

const content = new Uint8Array(PAGE);

function keep({ reader, memory, records }: PgmReading, batch: PageBatch): void {
  for (let i = 0; i < batch.count; i++) {
    const kind = batch.kind[i];
    const page = batch.page[i];
    const id = batch.id[i];
    records[kind]++;
    batch.decode(i, content, 0);
    const name = pageName(content);
    if (isRam(kind)) {
      memory.set(`ram ${hexOf(page * PAGE)}`, kind === PageKind.RAM_BALLOONED ? 'balloon' : name);
    } else if (isMmio2(kind)) {
      const range = reader.oldRanges[id];
      memory.set(range ? `mmio2 ${hexOf(range.start + page * PAGE)}` : `mmio2 ${id}:${page}`, name);
    } else {
      const place = hexOf(reader.romAddress(id, page) ?? Number.NaN);
      memory.set(`protection ${place}`, batch.protection[i]);
      if (kind === PageKind.ROM_VIRGIN) memory.set(`virgin ${place}`, name);
      else if (kind !== PageKind.ROM_PROTECTION) memory.set(`shadow ${place}`, name);
    }
  }
}
