import { UnsupportedError } from '../../../formats/errors.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';

const CHUNK_SHIFT = 15;
const CHUNK_PAGES = 1 << CHUNK_SHIFT;
const MAX_CHUNKS = 16384;

/** For each page the pass of a live save that named it last: two bytes a page, for stretches that have any. */
export class LastPasses {
  readonly #chunks = new Map<string, Uint16Array>();

  /** Notes that pass number `pass` (0 is the first in the file) names the pages of a batch. */
  note(batch: PageBatch, pass: number): void {
    for (let i = 0; i < batch.count; i++) {
      if (batch.kind[i] === PageKind.ROM_PROTECTION) continue;
      this.#chunkOf(batch, i)[batch.page[i] & (CHUNK_PAGES - 1)] = pass;
    }
  }

  /** Whether record `i` is the last one for its page. Records of protection never are: what they say goes into the content records. */
  isLast(batch: PageBatch, i: number, pass: number): boolean {
    return batch.kind[i] !== PageKind.ROM_PROTECTION && this.#chunkOf(batch, i)[batch.page[i] & (CHUNK_PAGES - 1)] === pass;
  }

  #chunkOf(batch: PageBatch, i: number): Uint16Array {
    const key = `${spaceOf(batch, i)} ${Math.floor(batch.page[i] / CHUNK_PAGES)}`;
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      if (this.#chunks.size >= MAX_CHUNKS) throw new UnsupportedError('too-much-memory', 'Cannot track guest memory: pages are spread over more than 2 TiB');
      chunk = new Uint16Array(CHUNK_PAGES);
      this.#chunks.set(key, chunk);
    }
    return chunk;
  }
}

function spaceOf(batch: PageBatch, i: number): string {
  const kind = batch.kind[i];
  if (isRam(kind)) return 'ram';
  if (isMmio2(kind)) return `mmio2 ${batch.id[i]}`;
  return kind === PageKind.ROM_VIRGIN ? `rom ${batch.id[i]}` : `shadow ${batch.id[i]}`;
}
