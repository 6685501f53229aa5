import type { StatsFs } from 'node:fs';
import { EnvironmentError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { world } from '../../../formats/world/world.ts';
import type { RamPiece } from './ram-files.ts';

/** Bytes of a block as `stat` counts them. */
const BLOCK = 512;
/** Linux's number of the file system of huge pages. */
const HUGETLBFS = 0x9584_58f6;

/**
 * Allocates the files of a guest's memory while its pages arrive: if the file system was full later, the guest would be
 * killed.
 */
export class ReservedMemory {
  /** Resolves when all memory is allocated; rejects with EnvironmentError `no-memory`. */
  readonly done: Promise<void>;
  readonly #stop = new AbortController();

  private constructor(pieces: readonly RamPiece[]) {
    this.done = this.#takeAll(pieces);
    this.done.catch(() => {});
  }

  /**
   * @throws EnvironmentError `no-memory` if there is too little room from the start; others if the files can't be
   * reached
   */
  static begin(pieces: readonly RamPiece[]): ReservedMemory {
    for (const piece of pieces) checkRoom(piece);
    return new ReservedMemory(pieces);
  }

  /** Stops allocating; resolves when no allocation is under way any more. */
  async cancel(): Promise<void> {
    this.#stop.abort();
    await this.done.catch(() => {});
  }

  async #takeAll(pieces: readonly RamPiece[]): Promise<void> {
    for (const piece of pieces) if (!this.#stop.signal.aborted) await take(piece, this.#stop.signal);
  }
}

function checkRoom({ path, pages }: RamPiece): void {
  const room = roomAt(path);
  if (room < pages * PAGE_SIZE) throw noMemory(pages * PAGE_SIZE, path, `there is room for ${room} bytes`);
}

/** @throws EnvironmentError */
function roomAt(path: string): number {
  try {
    return roomFor(world.disk.statfsSync(path), world.disk.statSync(path).blocks * BLOCK);
  } catch (error) {
    throw EnvironmentError.from(error, `reserve memory in ${path}`);
  }
}

/**
 * Bytes that a file can have; `Infinity` where the system does not tell: for files without a name (memfd), and for
 * huge pages, as those that QEMU has reserved count neither as free nor as the file's.
 * @param taken bytes that the file has already
 */
export function roomFor(
  { type, blocks, bavail, bsize }: Pick<StatsFs, 'type' | 'blocks' | 'bavail' | 'bsize'>,
  taken: number,
): number {
  return blocks === 0 || type === HUGETLBFS ? Number.POSITIVE_INFINITY : bavail * bsize + taken;
}

async function take({ path, offset, pages }: RamPiece, signal: AbortSignal): Promise<void> {
  const bytes = pages * PAGE_SIZE;
  try {
    // Short options: BusyBox knows no others.
    await world.programs.run('fallocate', ['-o', `${offset}`, '-l', `${bytes}`, path], { signal });
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    // Without the program, memory is allocated when it is written.
    if (code === 'ENOENT' || signal.aborted) return;
    throw noMemory(bytes, path, stderr.trim());
  }
}

function noMemory(bytes: number, path: string, why: string): EnvironmentError {
  return new EnvironmentError('no-memory', `Cannot reserve ${bytes} bytes of memory in ${path}: ${why}`);
}
