import { type ByteSource, readFrom } from '../../../formats/files/source.ts';
import { truncated } from '../../../formats/files/window.ts';
import { copyBytes, returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import { INPUT_SLACK, lzfDecode } from '../../../formats/kernels/lzf.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { badCompression, Encoding } from '../../../formats/ssm/segments.ts';

/** Bytes in a read where pages follow each other in the file; a single page takes the smaller size. */
const READ_AHEAD = 65536;
const SINGLE = 2 * PAGE_SIZE;

/** Loads pages from any place of a file. */
export class PageLoader {
  readonly #source: ByteSource;
  readonly #bytes = takeBuffer(READ_AHEAD + INPUT_SLACK);
  #start = 0;
  #end = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * Writes a page to `target[to, to + 4096)`.
   * @param at offset of its `length` encoded bytes in the file
   * @throws FormatError where the file has changed since it was checked
   */
  async load(encoding: number, at: number, length: number, target: Uint8Array, to: number): Promise<void> {
    if (encoding === Encoding.ZERO) {
      target.fill(0, to, to + PAGE_SIZE);
      return;
    }
    if (at < this.#start || at + length > this.#end) await this.#read(at, length);
    const place = at - this.#start;
    if (encoding === Encoding.RAW) copyBytes(this.#bytes, place, PAGE_SIZE, target, to);
    else if (!lzfDecode(this.#bytes, place, length, target, to, PAGE_SIZE)) throw badCompression(at);
  }

  /** Gives the memory back. */
  release(): void {
    returnBuffer(this.#bytes);
  }

  async #read(at: number, length: number): Promise<void> {
    const follows = at >= this.#start && at <= this.#end + SINGLE;
    const count = await readFrom(this.#source, this.#bytes.subarray(0, follows ? READ_AHEAD : SINGLE), at);
    if (count < length) throw truncated('page', at, length, count);
    this.#start = at;
    this.#end = at + count;
  }
}
