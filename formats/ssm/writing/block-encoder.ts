import { createLzfEncoder } from '../../kernels/lzf.ts';
import { isZero } from '../../kernels/zero.ts';
import { Encoding } from '../segments.ts';

/** Bytes of a block, into which V2.0 writers cut large items and gather small ones. Source: SSM.cpp, ssmR3DataWrite. */
export const BLOCK = 4096;
/** A block is stored compressed when it becomes at least 256 bytes smaller. */
const COMPRESSED_LIMIT = BLOCK - 256;

/**
 * Encodes blocks of 4096 bytes as VirtualBox does: as zeros, compressed, or raw. The result depends on the block only.
 */
export class BlockEncoder {
  /** Bytes of the compressed block made last. */
  length = 0;
  readonly #lzf = createLzfEncoder();

  /**
   * @returns the encoding to store `bytes[at, at + 4096)` in; for LZF the block is in `target[to, to + length)`,
   * otherwise `target` may hold rubbish
   */
  encode(bytes: Uint8Array, at: number, target: Uint8Array, to: number): number {
    if (isZero(bytes, at, BLOCK)) return Encoding.ZERO;
    this.length = this.#lzf.encode(bytes, at, BLOCK, target, to, COMPRESSED_LIMIT);
    return this.length > 0 ? Encoding.LZF : Encoding.RAW;
  }
}
