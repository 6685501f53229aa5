import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { type FileHandle, link, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, sep } from 'node:path';
import type { Writable } from 'node:stream';
import { EnvironmentError } from '../errors.ts';
import { Turns } from '../turns.ts';
import { type ByteSource, openFile } from './source.ts';

/** Where bytes go, front to back. */
export interface ByteSink {
  /** Takes borrowed bytes; they may be reused once the promise is fulfilled. */
  write(bytes: Uint8Array): Promise<void>;
}

/** A sink that also takes bytes for places behind or before. */
export interface SeekableSink extends ByteSink {
  writeAt(bytes: Uint8Array, position: number): Promise<void>;
  /** Sets the size; what was never written reads as zeros. */
  truncate(size: number): Promise<void>;
}

/** A sink whose bytes can be read again. */
export interface ReadableSink extends SeekableSink {
  /** A source over what was written so far; valid until the sink is written to again. */
  readBack(): Promise<ByteSource>;
}

/** An output file that only appears when it is complete. */
export interface FileSink extends ReadableSink {
  /** Number of the open file: other threads of the process can write to it, too. */
  readonly fd: number;
  /** Makes durable what was written so far, so that `commit` is quick and unlikely to fail. */
  sync(): Promise<void>;
  /** Makes the bytes durable and gives the file its name. */
  commit(): Promise<void>;
  /** Removes what was written. Harmless after `commit`. */
  abort(): Promise<void>;
}

/**
 * Opens a temporary file beside `path`, readable by its owner only: a state holds secrets.
 * @param options.force replace an existing file
 * @throws EnvironmentError `EEXIST` without `force`, `EISDIR` for a folder, and whatever the file system has to say
 */
export async function openFileSink(path: string, options: { force?: boolean } = {}): Promise<FileSink> {
  const { force = false } = options;
  await checkPlace(path, force);
  await removeLeftovers(path);
  const temporary = join(dirname(path), `${temporaryPrefix(path)}${process.pid}.${randomBytes(6).toString('hex')}${TEMPORARY_SUFFIX}`);
  try {
    return new TemporaryFile(path, temporary, await open(temporary, 'wx', 0o600), force);
  } catch (error) {
    throw EnvironmentError.from(error, `write ${path}`);
  }
}

/** Writes an output file: it appears when `use` has come to its end; when that fails nothing of it stays. @throws as `openFileSink` does, and what `use` throws */
export async function writeFileSink<T>(path: string, options: { force?: boolean }, use: (sink: FileSink) => Promise<T>): Promise<T> {
  const sink = await openFileSink(path, options);
  try {
    const result = await use(sink);
    await sink.commit();
    return result;
  } finally {
    await sink.abort();
  }
}

/** Says before any work what would come out at its end: only a regular file is ever replaced. */
async function checkPlace(path: string, force: boolean): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory() || path.endsWith('/') || path.endsWith(sep) || path === '')
    throw new EnvironmentError('EISDIR', `Cannot write ${path === '' ? '""' : path}: it is a folder, expected the name of a file`);
  if (there && !force) throw alreadyThere(path);
  if (there && !there.isFile()) throw new EnvironmentError('EEXIST', `Cannot write ${path}: it is no regular file, and would be replaced by one`);
}

const TEMPORARY_SUFFIX = '.part';

/** Names the host, too: on a shared folder process numbers of others mean nothing. */
function temporaryPrefix(path: string): string {
  return `.${basename(path)}.${hostname()}.`;
}

/** Removes what processes of this host that were killed have left behind of the same output. */
async function removeLeftovers(path: string): Promise<void> {
  const prefix = temporaryPrefix(path);
  const names = await readdir(dirname(path)).catch(() => []);
  for (const name of names) {
    if (!name.startsWith(prefix) || !name.endsWith(TEMPORARY_SUFFIX)) continue;
    const pid = Number(name.slice(prefix.length).split('.')[0]);
    if (Number.isInteger(pid) && !isRunning(pid)) await unlink(join(dirname(path), name)).catch(() => {});
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Those of other users run, too.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

class TemporaryFile implements FileSink {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;
  readonly #force: boolean;
  readonly #turns = Turns.rare();
  #position = 0;
  #isOpen = true;

  constructor(path: string, temporary: string, file: FileHandle, force: boolean) {
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
    this.#force = force;
  }

  get fd(): number {
    return this.#file.fd;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.writeAt(bytes, this.#position);
    this.#position += bytes.length;
  }

  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    await this.#attempt(async () => {
      for (let done = 0; done < bytes.length; ) {
        // Synchronously, for the reason that FileSource gives.
        done += writeSync(this.#file.fd, bytes, done, bytes.length - done, position + done);
      }
    });
    if (this.#turns.areDue) await this.#turns.give();
  }

  async truncate(size: number): Promise<void> {
    await this.#attempt(() => this.#file.truncate(size));
  }

  async readBack(): Promise<ByteSource> {
    return openFile(this.#temporary);
  }

  async sync(): Promise<void> {
    await this.#attempt(() => this.#file.sync());
  }

  async commit(): Promise<void> {
    await this.#attempt(async () => {
      await this.#file.sync();
      await this.#file.close();
      this.#isOpen = false;
      if (this.#force) await rename(this.#temporary, this.#path);
      else await this.#linkIntoPlace();
      await syncFolder(dirname(this.#path));
    });
  }

  async abort(): Promise<void> {
    if (this.#isOpen) await this.#file.close().catch(() => {});
    this.#isOpen = false;
    await unlink(this.#temporary).catch(() => {});
  }

  /** A link, unlike a rename, never replaces a file that has appeared meanwhile. Not all file systems have links. */
  async #linkIntoPlace(): Promise<void> {
    try {
      await link(this.#temporary, this.#path);
      await unlink(this.#temporary);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST' || (await exists(this.#path))) throw alreadyThere(this.#path);
      await rename(this.#temporary, this.#path);
    }
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      throw error instanceof EnvironmentError ? error : EnvironmentError.from(error, `write ${this.#path}`);
    }
  }
}

/** Makes a new name durable, where folders can be synced (not on Windows). */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function alreadyThere(path: string): EnvironmentError {
  return new EnvironmentError('EEXIST', `Cannot write ${path}: the file exists already`);
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
