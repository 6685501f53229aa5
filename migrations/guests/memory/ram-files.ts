import { constants } from 'node:fs';
import { EnvironmentError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { world } from '../../../formats/world/world.ts';
import { MigrationError } from '../../wire/migration-error.ts';

/** Place where a part of a guest's memory can be read and written. */
export interface RamPiece {
  /** A file, or the memory of a process: `/proc/PID/mem`. */
  path: string;
  /** Offset of its first page in bytes. */
  offset: number;
  pages: number;
}

/** An opened piece. */
export interface RamPlace extends RamPiece {
  /** Descriptor, which is valid in all threads of the process. */
  fd: number;
}

/** The memory of a process, which is no file and has no size; it ends where the process has nothing mapped. */
const PROCESS_MEMORY = /^\/proc\/\d+\/mem$/;

export function isProcessMemory(path: string): boolean {
  return PROCESS_MEMORY.test(path);
}

/** The memory of a guest as numbered pages, in files that QEMU has mapped or in its process. */
export class RamFiles {
  readonly pageCount: number;
  readonly #places: readonly RamPlace[];
  /** Numbers of the regions' first pages, and the number of pages after them. */
  readonly #starts: number[] = [0];
  #isClosed = false;

  constructor(places: readonly RamPlace[]) {
    this.#places = places;
    for (const { pages } of places) this.#starts.push(this.#starts[this.#starts.length - 1] + pages);
    this.pageCount = this.#starts[places.length];
  }

  /**
   * Opens all pieces.
   * @throws EnvironmentError, MigrationError `ram-gone` for a file that is shorter than its piece
   */
  static open(pieces: readonly RamPiece[], flags: 'r' | 'r+'): RamFiles {
    const places: RamPlace[] = [];
    try {
      for (const { path, offset, pages } of pieces) {
        const place = { fd: opened(path, flags), path, offset, pages };
        places.push(place);
        const stat = moving(() => world.disk.fstatSync(place.fd), `look at memory ${path}`);
        const { size } = stat;
        if (!stat.isFile()) throw new MigrationError('ram-gone', `Cannot use memory ${path}: it is no file`);
        if (!isProcessMemory(path) && size < offset + pages * PAGE_SIZE)
          throw new MigrationError(
            'ram-gone',
            `Cannot use memory ${path}: it has ${size} bytes, expected ${offset + pages * PAGE_SIZE}`,
          );
      }
      return new RamFiles(places);
    } catch (error) {
      new RamFiles(places).close();
      throw error;
    }
  }

  /** Facts by which another thread can use the same memory. */
  get places(): readonly RamPlace[] {
    return this.#places;
  }

  /** Files that hold the memory; memory of a process alone has none. */
  get paths(): string[] {
    return [...new Set(this.#places.map(({ path }) => path))].filter((path) => !isProcessMemory(path));
  }

  /** As `PageAccess` says. In a file no page is known to be zeros before it is read. */
  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number {
    held.fill(1, 0, count);
    this.#inRuns(
      pages,
      count,
      (fd, from, length, done) => world.disk.readSync(fd, target, at + done, length, from),
      'read',
    );
    return count;
  }

  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void {
    this.#inRuns(
      pages,
      count,
      (fd, from, length, done) => world.disk.writeSync(fd, bytes, at + done, length, from),
      'write',
    );
  }

  close(): void {
    for (const { fd, path } of this.#isClosed ? [] : this.#places)
      moving(() => world.disk.closeSync(fd), `close memory ${path}`);
    this.#isClosed = true;
  }

  /** Calls `move` for each run of neighbours, until all of it was moved. */
  #inRuns(
    pages: Uint32Array,
    count: number,
    move: (fd: number, from: number, length: number, done: number) => number,
    doing: string,
  ): void {
    for (let i = 0; i < count; ) {
      const region = this.#regionOf(pages[i]);
      const end = this.#starts[region + 1];
      const start = i++;
      while (i < count && pages[i] === pages[i - 1] + 1 && pages[i] < end) i++;
      const { fd, path, offset } = this.#places[region];
      const from = offset + (pages[start] - this.#starts[region]) * PAGE_SIZE;
      const size = (i - start) * PAGE_SIZE;
      for (let done = 0; done < size; ) {
        const moved = moving(
          () => move(fd, from + done, size - done, start * PAGE_SIZE + done),
          `${doing} memory ${path}`,
        );
        if (moved === 0)
          throw new MigrationError('ram-gone', `Cannot ${doing} memory ${path}: it ends at ${from + done} bytes`);
        done += moved;
      }
    }
  }

  #regionOf(page: number): number {
    let region = 0;
    while (page >= this.#starts[region + 1]) region++;
    return region;
  }
}

function opened(path: string, flags: 'r' | 'r+'): number {
  // Without this flag, opening a pipe without a writer would block, and no signal would end it.
  const mode = (flags === 'r' ? constants.O_RDONLY : constants.O_RDWR) | (constants.O_NONBLOCK ?? 0);
  return moving(() => world.disk.openSync(path, mode), `open memory ${path}`);
}

function moving<T>(work: () => T, doing: string): T {
  try {
    return work();
  } catch (error) {
    throw EnvironmentError.from(error, doing);
  }
}
