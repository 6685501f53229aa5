import { constants } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { EnvironmentError, hex } from '../errors.ts';
import { holdFile } from '../locks/held-files.ts';
import { KIB } from '../sizes.ts';
import { Turns } from '../turns.ts';
import type { DiskFile } from '../world/disk.ts';
import { world } from '../world/world.ts';
import { WatchedFile } from './watched-file.ts';

/** A source of bytes, for one reader at a time. */
export interface ByteSource {
  /** Name in messages: a path, or `stdin`. */
  readonly name: string;
  /** Size in bytes; undefined for a pipe. */
  readonly size: number | undefined;
  /** Whether `read` may be called with any position. A pipe accepts only the position at which its last read ended. */
  readonly seekable: boolean;
  /** Descriptor of an open file that can be read at any position; other threads of the process can read it as well. */
  readonly fd?: number | undefined;
  /** Name of the chosen state in a file that holds several. */
  readonly part?: string | undefined;
  /** Files with the machine's RAM, for a state that leaves it out. */
  readonly ram?: readonly RamFile[] | undefined;
  /** Fills `target` from `position` on; gives the number of bytes read, less than asked only at the end. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Closes the file; nothing can be read afterwards. */
  close(): Promise<void>;
}

/**
 * Reads from a source that may be the caller's own, and count wrongly: reading on would have no end.
 * @throws EnvironmentError
 */
export async function readFrom(source: ByteSource, target: Uint8Array, position: number): Promise<number> {
  const count = await source.read(target, position);
  if (Number.isInteger(count) && count >= 0 && count <= target.length) return count;
  throw new EnvironmentError('io', `Cannot read ${source.name}: asked for ${target.length} bytes, it gave ${count}`);
}

/** A file with RAM of a machine. */
export interface RamFile {
  /** Bytes of the block, as they lie in memory. */
  source: ByteSource;
  /** Name of the block that it holds, such as `pc.ram`; undefined: the only block of its size. */
  block?: string | undefined;
}

/**
 * The same source with another chosen state, or with files of RAM. Closing it closes the source, but no file of RAM.
 */
export function withBeside(source: ByteSource, beside: Pick<ByteSource, 'part' | 'ram'>): ByteSource {
  const { name, size, seekable, fd, part, ram } = source;
  return {
    ...{ name, size, seekable, fd, part, ram, ...beside },
    read: (target, position) => source.read(target, position),
    close: () => source.close(),
  };
}

/**
 * Opens a file; until it is closed, no output may replace it.
 * @param options.isWatched closing throws EnvironmentError `changed` if the file has changed, and no output file
 * appears before that check
 * @throws EnvironmentError when the file can't be opened
 */
export async function openFile(path: string, { isWatched = false } = {}): Promise<ByteSource> {
  try {
    if ((await world.disk.stat(path, { bigint: true })).isFIFO()) return openPipe(path);
    const file = await world.disk.open(path, 'r');
    const there = await file.stat({ bigint: true });
    if (there.isDirectory()) {
      await file.close();
      throw new EnvironmentError('EISDIR', `Cannot open ${path}: it is a directory`);
    }
    const size = there.isFile() ? Number(there.size) : there.isBlockDevice() ? sizeOfDevice(file.fd, path) : undefined;
    const watch = isWatched && there.isFile() ? new WatchedFile(path, file, there) : undefined;
    return new FileSource(path, file.fd, size, { file, letGo: holdFile(there, path), watch });
  } catch (error) {
    throw error instanceof EnvironmentError ? error : EnvironmentError.from(error, `open ${path}`);
  }
}

/** Bytes that systems read at once, at the least. */
export const BLOCK = 4 * KIB;
/** Sizes of block devices are multiples of this. */
const SECTOR = 512;

/**
 * Size in bytes of a block device (a volume of LVM or ZFS). Its status tells no size, so reading finds the end.
 * @throws EnvironmentError
 */
function sizeOfDevice(fd: number, path: string): number {
  const sector = new Uint8Array(SECTOR);
  const isThere = (offset: number) => world.disk.readSync(fd, sector, 0, SECTOR, offset) > 0;
  try {
    let start = 0;
    let end = SECTOR;
    for (; isThere(end); end *= 2) start = end;
    // No bytes are at `end`, but some at `start`, unless the device is empty.
    while (end - start > SECTOR) {
      const middle = start + Math.floor((end - start) / 2 / SECTOR) * SECTOR;
      if (isThere(middle)) start = middle;
      else end = middle;
    }
    return isThere(start) ? end : 0;
  } catch (error) {
    throw EnvironmentError.from(error, `read ${path}`);
  }
}

/**
 * Opens a pipe as a stream, without waiting for a writer: no signal ends a process that waits in a file system call.
 */
function openPipe(path: string): ByteSource {
  const fd = world.disk.openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return streamSource(new Socket({ fd, readable: true, writable: false }), path);
}

/** A file that another thread or object has opened and will close. @param isOpen whether the file is still open */
export function sharedFile(
  { fd, name, size }: { fd: number; name: string; size: number },
  isOpen: () => boolean = () => true,
): ByteSource {
  return new FileSource(name, fd, size, undefined, isOpen);
}

/** Belongings of a file that was opened here. */
interface OwnFile {
  file: DiskFile;
  letGo: () => void;
  watch: WatchedFile | undefined;
}

/**
 * Reads synchronously: a handover to Node's thread pool and back costs more than the reading itself (1 GiB in pieces of
 * 1 MiB: 0.4 s against
 * 1.6 to 3 s where this was measured); now and then the event loop gets its turn, for signals, timers and progress. A
 * pipe may make its reader wait, so it is read through the pool.
 */
class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number | undefined;
  readonly seekable: boolean;
  readonly #fd: number;
  readonly #own: OwnFile | undefined;
  readonly #turns = Turns.rare();
  readonly #isOpenElsewhere: () => boolean;
  #isClosed = false;

  constructor(name: string, fd: number, size: number | undefined, own?: OwnFile, isOpenElsewhere = () => true) {
    this.name = name;
    this.size = size;
    this.seekable = size !== undefined;
    this.#fd = fd;
    this.#own = own;
    this.#isOpenElsewhere = isOpenElsewhere;
  }

  get fd(): number | undefined {
    return this.seekable ? this.#fd : undefined;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    // No file is so long, but damage may lead to such a position, and Node would refuse the number.
    if (this.seekable && position + target.length > Number.MAX_SAFE_INTEGER) return 0;
    let done = 0;
    try {
      while (done < target.length) {
        // The descriptor may belong to another file by now.
        if (this.#isClosed || !this.#isOpenElsewhere())
          throw new EnvironmentError('EBADF', `Cannot read ${this.name}: it is closed`);
        const count = this.seekable
          ? world.disk.readSync(this.#fd, target, done, target.length - done, position + done)
          : await this.#readPipe(target, done);
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      if (error instanceof EnvironmentError) throw error;
      const at = this.#firstUnreadable(position + done, target.length - done);
      throw EnvironmentError.from(error, `read ${this.name} at ${hex(at)}`).at({ offset: at });
    }
    if (this.#turns.areDue) await this.#turns.give();
    return done;
  }

  async close(): Promise<void> {
    const wasClosed = this.#isClosed;
    this.#isClosed = true;
    if (wasClosed || !this.#own) return;
    const { file, letGo, watch } = this.#own;
    letGo();
    watch?.forget();
    // All bytes have been read by now, so a failure to close the file does not matter.
    await (watch?.check() ?? Promise.resolve()).finally(() => file.close().catch(() => {}));
  }

  /**
   * Offset of the first unreadable byte: the system may have failed for a long stretch because of a few of its bytes.
   */
  #firstUnreadable(start: number, length: number): number {
    if (!this.seekable) return start;
    const block = new Uint8Array(BLOCK);
    let at = start;
    try {
      for (; at < start + length; at += BLOCK - (at % BLOCK))
        world.disk.readSync(this.#fd, block, 0, BLOCK - (at % BLOCK), at);
    } catch {
      return at;
    }
    // The second try could read all bytes.
    return start;
  }

  async #readPipe(target: Uint8Array, done: number): Promise<number> {
    const read = await this.#own?.file.read(target, done, target.length - done, null);
    return read?.bytesRead ?? 0;
  }
}

/** A source over bytes in memory; they are borrowed as long as the source is used. */
export function bufferSource(bytes: Uint8Array, name = 'buffer'): ByteSource {
  return {
    name,
    size: bytes.length,
    seekable: true,
    async read(target, position) {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
    async close() {},
  };
}

/** A source over a stream of chunks (stdin, a socket), read front to back. */
export function streamSource(stream: Readable, name = 'stdin'): ByteSource {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let chunk: Uint8Array = new Uint8Array(0);
  return {
    name,
    size: undefined,
    seekable: false,
    async read(target) {
      let done = 0;
      while (done < target.length) {
        if (chunk.length === 0) {
          const next = await chunks.next().catch((error) => {
            throw error instanceof EnvironmentError ? error : EnvironmentError.from(error, `read ${name}`);
          });
          if (next.done) break;
          chunk = next.value;
        }
        const part = chunk.subarray(0, target.length - done);
        target.set(part, done);
        done += part.length;
        chunk = chunk.subarray(part.length);
      }
      return done;
    },
    async close() {
      stream.destroy();
    },
  };
}

/**
 * All bytes of a source, front to back, in chunks; each is borrowed until the next is asked for. @throws as `read` does
 */
export async function* chunksOf(source: ByteSource, chunkSize = 64 * KIB): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(chunkSize);
  for (let offset = 0; ; ) {
    const count = await readFrom(source, chunk, offset);
    if (count === 0) return;
    yield chunk.subarray(0, count);
    offset += count;
  }
}
