import { readSync, writeSync } from 'node:fs';
import { EnvironmentError } from '../../formats/errors.ts';
import { openScratchFile, type ScratchFile } from '../../formats/files/scratch-file.ts';
import { type Chunk, JUST_USED, NOT_MAPPED } from './chunk.ts';
import type { ChunkMapper } from './chunk-mapper.ts';
import { CHUNK_SIZE } from './page-id.ts';
import { Slabs } from './slabs.ts';

/**
 * Ages have 32 bits. When they overflow, the present age gets this value, and all others get smaller ones. Source:
 * PGMPhys.cpp, pgmR3PhysChunkAgeingRolloverCallback.
 */
const AGE_AFTER_ROLL_OVER = 4;
const MOST_SEARCHES_BETWEEN_AGEINGS = 1024;

/**
 * At most `maxMapped` chunks are in memory, the others in a file. The chunk that was out of use longest makes room, by
 * VirtualBox's age rules: using a chunk makes its age 0, ageing gives the present age to all chunks of age 0, and only
 * chunks of another age than 0 make room. Pinned chunks stay, even if more than `maxMapped` are in memory then.
 */
export class MappingCache implements ChunkMapper {
  readonly maxMapped: number;
  misses = 0;
  readonly #mapped: Chunk[] = [];
  readonly #file: ScratchFile;
  #now: number;
  #searchesUntilAgeing = 0;
  #isClosed = false;
  readonly #slabs = new Slabs();

  /**
   * @param parent folder for the file; default: the system's folder for temporary files
   * @param now age to begin with, for tests of the roll-over
   */
  constructor(maxMapped: number, parent?: string, now = AGE_AFTER_ROLL_OVER) {
    this.maxMapped = maxMapped;
    this.#now = now;
    this.#file = openScratchFile(parent);
  }

  get mapped(): number {
    return this.#mapped.length;
  }

  get bytes(): number {
    return this.#slabs.size;
  }

  add(chunk: Chunk): void {
    this.#bringIn(chunk);
  }

  map(chunk: Chunk): Uint8Array {
    if (chunk.age === NOT_MAPPED) {
      this.misses++;
      this.#bringIn(chunk);
    }
    chunk.age = JUST_USED;
    return chunk.bytes;
  }

  remove(chunk: Chunk): void {
    if (chunk.age === NOT_MAPPED) return;
    this.#slabs.giveBack(chunk.unmap());
    this.#forget(this.#mapped.indexOf(chunk));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }

  #bringIn(chunk: Chunk): void {
    this.#makeRoom();
    const bytes = this.#slabs.take(!chunk.isInFile);
    if (chunk.isInFile) readWhole(this.#file.descriptor, bytes, chunk);
    chunk.mapTo(bytes);
    this.#mapped.push(chunk);
  }

  /**
   * Writes chunks out until there is room for one more. A chunk that can't be written stays in memory, so a full disk
   * loses nothing. @throws EnvironmentError
   */
  #makeRoom(): void {
    while (this.#mapped.length >= this.maxMapped) {
      const index = this.#candidate();
      if (index < 0) return;
      const chunk = this.#mapped[index];
      writeWhole(this.#file.descriptor, chunk.bytes, chunk);
      chunk.isInFile = true;
      this.#slabs.giveBack(chunk.unmap());
      this.#forget(index);
    }
  }

  #forget(index: number): void {
    const last = this.#mapped.pop();
    if (last && index < this.#mapped.length) this.#mapped[index] = last;
  }

  /** Index of the chunk that was out of use longest, −1 when all are pinned. */
  #candidate(): number {
    if (this.#searchesUntilAgeing-- <= 0) this.#age();
    const found = this.#oldest();
    if (found >= 0) return found;
    this.#age();
    return this.#oldest();
  }

  #oldest(): number {
    let oldest = -1;
    for (let index = 0; index < this.#mapped.length; index++) {
      const { age, pins } = this.#mapped[index];
      if (age !== JUST_USED && pins === 0 && (oldest < 0 || age < this.#mapped[oldest].age)) oldest = index;
    }
    return oldest;
  }

  #age(): void {
    this.#searchesUntilAgeing = Math.min(this.maxMapped >> 2, MOST_SEARCHES_BETWEEN_AGEINGS);
    this.#now++;
    if (this.#now > 0xffff_ffff) this.#rollOver();
    for (const chunk of this.#mapped) {
      if (chunk.age === JUST_USED) chunk.age = this.#now;
    }
  }

  #rollOver(): void {
    this.#now = AGE_AFTER_ROLL_OVER;
    for (const chunk of this.#mapped) {
      if (chunk.age === JUST_USED) chunk.age = AGE_AFTER_ROLL_OVER;
      else if (chunk.age >= 0xffff_ff00) chunk.age = 3;
      else chunk.age = chunk.age >= 0xffff_f000 ? 2 : 1;
    }
  }
}

function positionOf(chunk: Chunk): number {
  return (chunk.id - 1) * CHUNK_SIZE;
}

function readWhole(file: number, bytes: Uint8Array, chunk: Chunk): void {
  try {
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(file, bytes, done, bytes.length - done, positionOf(chunk) + done);
      if (count === 0) throw new Error('the file is shorter than it was');
      done += count;
    }
  } catch (cause) {
    throw EnvironmentError.from(cause, `read chunk ${chunk.id} of guest memory`);
  }
}

function writeWhole(file: number, bytes: Uint8Array, chunk: Chunk): void {
  try {
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, bytes.length - done, positionOf(chunk) + done);
  } catch (cause) {
    throw EnvironmentError.from(cause, `write chunk ${chunk.id} of guest memory`);
  }
}
