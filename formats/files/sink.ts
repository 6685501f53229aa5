import { basename, dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { EnvironmentError } from '../errors.ts';
import { KIB, MIB } from '../sizes.ts';
import type { DiskFile } from '../world/disk.ts';
import { world } from '../world/world.ts';
import { FileName } from './file-name.ts';
import { checkStillFree, type OutputOptions, outputPlace } from './output-place.ts';
import type { ByteSource } from './source.ts';
import { forgetTemporaryFile, nameTemporaryFile, removeLeftovers } from './temporary-files.ts';
import { WatchedFile } from './watched-file.ts';
import { WrittenFile } from './written-file.ts';

/** A sink that takes bytes front to back. */
export interface ByteSink {
  /** Takes borrowed bytes; they may be reused once the promise is fulfilled. */
  write(bytes: Uint8Array): Promise<void>;
}

/** A sink that also takes bytes for any place. */
export interface SeekableSink extends ByteSink {
  /** Writes bytes at an offset from the start. @throws EnvironmentError */
  writeAt(bytes: Uint8Array, position: number): Promise<void>;
  /** Sets the size; bytes that were never written read as zeros. */
  truncate(size: number): Promise<void>;
}

/** A sink whose bytes can be read again. */
export interface ReadableSink extends SeekableSink {
  /** A source over the bytes written so far; valid until the next write. */
  readBack(): Promise<ByteSource>;
}

/** An output file that only appears when it is complete. */
export interface FileSink extends ReadableSink {
  /** Descriptor of the open file, to which other threads of the process can write, too. */
  readonly fd: number;
  /**
   * Checks before long work that there is room for so many bytes; absent where free space is not known. @throws
   * EnvironmentError `ENOSPC`
   */
  expectRoom?(bytes: number): Promise<void>;
  /** Makes the bytes written so far durable, so that `commit` is quick and unlikely to fail. */
  sync(): Promise<void>;
  /** Makes the bytes durable and gives the file its name. After a failure all names are as before; see `isInPlace`. */
  commit(): Promise<void>;
  /**
   * The file has its name. If `commit` has failed all the same, the name could not be taken away again, and may be gone
   * after a crash of the host.
   */
  readonly isInPlace: boolean;
  /** Removes the file. Does nothing after `commit`. */
  abort(): Promise<void>;
}

/**
 * Opens a temporary file beside `path`. Unless options say otherwise, only its owner can read it: a state holds
 * secrets.
 * @throws UsageError, EnvironmentError as `outputPlace` does, and for errors of the file system
 */
export async function openFileSink(path: string, options: OutputOptions = {}): Promise<FileSink> {
  const place = await outputPlace(path, options);
  const [folder, name] = [dirname(place), basename(place)];
  removeLeftovers(folder, name);
  const temporary = nameTemporaryFile(folder, name);
  try {
    const mode = options.isForOthers ? 0o644 : 0o600;
    return new TemporaryFile(path, place, temporary, await world.disk.open(temporary, 'wx+', mode), options);
  } catch (error) {
    forgetTemporaryFile(temporary);
    throw EnvironmentError.from(error, `write ${path}`);
  }
}

/**
 * Writes an output file, which appears when `use` has ended; if `use` fails, nothing of it stays. @throws as
 * `openFileSink` and `use` do
 */
export async function writeFileSink<T>(
  path: string,
  options: OutputOptions,
  use: (sink: FileSink) => Promise<T>,
): Promise<T> {
  const sink = await openFileSink(path, options);
  try {
    const result = await use(sink);
    await sink.commit();
    return result;
  } finally {
    await sink.abort();
  }
}

/** Maximum number of bytes that may wait for the disk, since the end of long work has to wait for all of them. */
const UNSYNCED_LIMIT = 64 * MIB;

/** From this size on, a handover to Node's thread pool is faster than the write, if there is other work meanwhile. */
const WORTH_A_HANDOVER = 128 * KIB;

class TemporaryFile extends WrittenFile implements FileSink {
  readonly #place: string;
  readonly #temporary: string;
  readonly #file: DiskFile;
  readonly #options: OutputOptions;
  readonly #fileName: FileName;
  /** Bytes since the last sync began. */
  #unsynced = 0;
  #syncing: Promise<void> | undefined;

  /** @param path as the user gave it @param place its resolved path */
  constructor(path: string, place: string, temporary: string, file: DiskFile, options: OutputOptions) {
    super(path, file.fd);
    this.#place = place;
    this.#temporary = temporary;
    this.#file = file;
    this.#options = options;
    this.#fileName = new FileName(path, place);
  }

  async expectRoom(bytes: number): Promise<void> {
    const { bavail, bsize } = await this.attempt(() => world.disk.statfs(dirname(this.#place)));
    const free = bavail * bsize;
    if (bytes > free)
      throw new EnvironmentError('ENOSPC', `Cannot write ${this.name}: it takes ${bytes} bytes, and ${free} are free`);
  }

  override async writeAt(bytes: Uint8Array, position: number, hasOtherWork = false): Promise<void> {
    await super.writeAt(bytes, position, hasOtherWork);
    this.#unsynced += bytes.length;
    if (this.#unsynced < UNSYNCED_LIMIT) return;
    this.#unsynced = 0;
    await this.attempt(async () => this.#syncing);
    this.#syncing = this.#file.datasync();
    // The next wait for this sync reports its error.
    this.#syncing.catch(() => {});
  }

  /**
   * Writes through the file's handle, whose `close` waits for pending writes: none can reach another file that gets the
   * same descriptor.
   */
  protected override writeSome(
    bytes: Uint8Array,
    at: number,
    position: number,
    hasOtherWork: boolean,
  ): number | Promise<number> {
    const length = bytes.length - at;
    if (!hasOtherWork || length < WORTH_A_HANDOVER) return super.writeSome(bytes, at, position, hasOtherWork);
    return this.#file.write(bytes, at, length, position).then(({ bytesWritten }) => bytesWritten);
  }

  async sync(): Promise<void> {
    await this.attempt(async () => {
      await this.#syncing;
      await this.#file.sync();
    });
  }

  async commit(): Promise<void> {
    await this.sync();
    await checkStillFree(this.#place, this.#options);
    await WatchedFile.checkAll();
    if (this.#options.inPlaceOf !== undefined) WatchedFile.letReplace(this.#options.inPlaceOf);
    await this.attempt(async () => {
      await this.#close();
      await this.#fileName.give(this.#temporary, this.#options.force === true);
    });
  }

  async abort(): Promise<void> {
    await this.#close().catch(() => {});
    await world.disk.unlink(this.#temporary).catch(() => {});
    forgetTemporaryFile(this.#temporary);
  }

  get isInPlace(): boolean {
    return this.#fileName.isGiven;
  }

  async #close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.#syncing?.catch(() => {});
    await this.#file.close();
  }
}

/** A sink over a stream (stdout, a socket); waits while the stream is full. */
export function streamSink(stream: Writable, name = 'stdout'): ByteSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(EnvironmentError.from(error, `write ${name}`)) : resolve()));
      }),
  };
}
