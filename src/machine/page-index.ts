import { PAGE_SIZE, TWO_32 } from '../../formats/sizes.ts';
import { Encoding } from '../../formats/ssm/segments.ts';

const CHUNK_FRAMES = 4096;
/** Bytes of a file that can be indexed: 1 TiB. */
const OFFSET_LIMIT = 2 ** 40;

/** Places of the contents of neighbouring pages: 7 bytes a page. */
interface Chunk {
  low: Uint32Array;
  high: Uint8Array;
  /** Twice the length, plus 1 if the page is compressed; 0: zeros. */
  size: Uint16Array;
}

/** Place of a page's content in a file. */
export interface FilePlace {
  encoding: number;
  at: number;
  length: number;
}

/**
 * Places of the contents of pages in a file, by guest-physical page frame: less than 2 MiB for each GiB with content.
 */
export class PageIndex {
  readonly #chunks = new Map<number, Chunk>();

  /** @returns false if the place cannot be indexed */
  set(frame: number, { encoding, at, length }: FilePlace): boolean {
    if (at >= OFFSET_LIMIT) return false;
    const key = Math.floor(frame / CHUNK_FRAMES);
    let chunk = this.#chunks.get(key);
    if (!chunk) {
      chunk = {
        low: new Uint32Array(CHUNK_FRAMES),
        high: new Uint8Array(CHUNK_FRAMES),
        size: new Uint16Array(CHUNK_FRAMES),
      };
      this.#chunks.set(key, chunk);
    }
    const i = frame % CHUNK_FRAMES;
    chunk.low[i] = at % TWO_32;
    chunk.high[i] = Math.floor(at / TWO_32);
    chunk.size[i] = 2 * length + (encoding === Encoding.LZF ? 1 : 0);
    return true;
  }

  /** Notes that a page is zeros now. */
  clear(frame: number): void {
    const chunk = this.#chunks.get(Math.floor(frame / CHUNK_FRAMES));
    if (chunk) chunk.size[frame % CHUNK_FRAMES] = 0;
  }

  /** Place of a page in the file; undefined for zeros. */
  get(frame: number): FilePlace | undefined {
    const chunk = this.#chunks.get(Math.floor(frame / CHUNK_FRAMES));
    const i = frame % CHUNK_FRAMES;
    const size = chunk?.size[i] ?? 0;
    if (!chunk || size === 0) return undefined;
    const isCompressed = size % 2 === 1;
    return {
      encoding: isCompressed ? Encoding.LZF : Encoding.RAW,
      at: chunk.high[i] * TWO_32 + chunk.low[i],
      length: isCompressed ? (size - 1) / 2 : PAGE_SIZE,
    };
  }
}
