import { UnsupportedError } from '../../../formats/errors.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';

/** Small, as each of many pages far apart takes a chunk. */
const CHUNK_PAGES = 64;
/** Guests of up to 512 GiB. */
const MAX_CHUNKS = 2 ** 21;

/**
 * For each page the last pass of a live save that named it, or 0; four bytes a page, only for stretches with named
 * pages.
 */
export class LastPasses {
  readonly #chunks = new Map<string, Uint32Array>();

  /** Notes that pass number `pass` (0 is the first in the file) names the pages of a batch. */
  note(batch: PageBatch, pass: number): void {
    for (let i = 0; i < batch.count; i++) {
      if (batch.kind[i] === PageKind.ROM_PROTECTION) continue;
      this.#chunkOf(batch.kind[i], batch.id[i], batch.page[i])[batch.page[i] & (CHUNK_PAGES - 1)] = pass + 1;
    }
  }

  /**
   * Whether record `i` is the last one for its page. Protection records never are: the protection goes into the content
   * records.
   */
  isLast(batch: PageBatch, i: number, pass: number): boolean {
    const page = batch.page[i];
    return (
      batch.kind[i] !== PageKind.ROM_PROTECTION &&
      this.#chunkOf(batch.kind[i], batch.id[i], page)[page & (CHUNK_PAGES - 1)] === pass + 1
    );
  }

  /** Whether any record holds the content of a ROM's page or of its shadow. */
  hasRomContent(id: number, page: number): boolean {
    const isNamed = (kind: number) => this.#chunkOf(kind, id, page)[page & (CHUNK_PAGES - 1)] > 0;
    return isNamed(PageKind.ROM_VIRGIN) || isNamed(PageKind.ROM_SHADOW_RAW);
  }

  #chunkOf(kind: number, id: number, page: number): Uint32Array {
    const key = `${spaceOf(kind, id)} ${Math.floor(page / CHUNK_PAGES)}`;
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      if (this.#chunks.size >= MAX_CHUNKS)
        throw new UnsupportedError(
          'too-much-memory',
          'Cannot track guest memory: pages are spread over more than 512 GiB',
        );
      chunk = new Uint32Array(CHUNK_PAGES);
      this.#chunks.set(key, chunk);
    }
    return chunk;
  }
}

function spaceOf(kind: number, id: number): string {
  if (isRam(kind)) return 'ram';
  if (isMmio2(kind)) return `mmio2 ${id}`;
  return kind === PageKind.ROM_VIRGIN ? `rom ${id}` : `shadow ${id}`;
}
