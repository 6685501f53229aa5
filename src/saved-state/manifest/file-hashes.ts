import { createHash } from 'node:crypto';
import { type ByteSource, readFrom } from '../../../formats/files/source.ts';
import { returnBuffer, takeBuffer } from '../../../formats/kernels/arena.ts';
import { xxh64 } from '../../../formats/kernels/xxh64.ts';
import { KIB, MIB } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';

/** Damage is located to blocks of this size. */
export const BLOCK_SIZE = 16 * KIB;

/** A stretch of the file, `[start, end)`. */
export interface FileStretch {
  start: number;
  end: number;
}

export interface FileHashes {
  size: number;
  /** SHA-256 of the file, in hexadecimal. */
  sha256: string;
  stretches: string[];
  /** Hash of each block of 16 KiB; the last block may be shorter. */
  blocks: BigUint64Array;
}

export interface HashOptions {
  signal?: AbortSignal;
  onProgress?: (offset: number) => void;
}

/** Hashes the bytes of a file in one reading. @param stretches ascending, without overlap */
export async function hashFile(
  source: ByteSource,
  stretches: readonly FileStretch[],
  { signal, onProgress }: HashOptions = {},
): Promise<FileHashes> {
  const whole = createHash('sha256');
  const parts = new StretchHashes(stretches);
  const buffer = takeBuffer(MIB);
  const blocks: bigint[] = [];
  const turns = Turns.rare(signal);
  let offset = 0;
  for (let count = buffer.length; count === buffer.length; offset += count) {
    if (turns.areDue) await turns.give();
    count = await readFrom(source, buffer, offset);
    const bytes = buffer.subarray(0, count);
    whole.update(bytes);
    parts.update(bytes, offset);
    for (let at = 0; at < count; at += BLOCK_SIZE) blocks.push(xxh64(bytes, at, Math.min(BLOCK_SIZE, count - at)));
    onProgress?.(offset);
  }
  returnBuffer(buffer);
  return { size: offset, sha256: whole.digest('hex'), stretches: parts.finish(), blocks: BigUint64Array.from(blocks) };
}

/** Keeps only one unfinished hash at a time: files have very many units. */
class StretchHashes {
  readonly #stretches: readonly FileStretch[];
  readonly #digests: string[] = [];
  #hash = createHash('sha256');

  constructor(stretches: readonly FileStretch[]) {
    this.#stretches = stretches;
  }

  update(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    for (let stretch = this.#current; stretch && stretch.start < end; stretch = this.#current) {
      this.#hash.update(bytes.subarray(Math.max(0, stretch.start - offset), Math.max(0, stretch.end - offset)));
      if (stretch.end > end) return;
      this.#digest();
    }
  }

  /** Stretches beyond the end of the file get the hash of no bytes. */
  finish(): string[] {
    while (this.#current) this.#digest();
    return this.#digests;
  }

  /** The first stretch that has not ended yet. */
  get #current(): FileStretch | undefined {
    return this.#stretches[this.#digests.length];
  }

  #digest(): void {
    this.#digests.push(this.#hash.digest('hex'));
    this.#hash = createHash('sha256');
  }
}
