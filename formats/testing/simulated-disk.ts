import type { BigIntStats, StatsFs } from 'node:fs';
import { dirname } from 'node:path';
import type { Disk, DiskFile, FileStatus } from '../world/disk.ts';
import type { SimulatedFile, SimulatedFiles } from './simulated-files.ts';

/** Operations of a disk that may fail. */
export type DiskWork = 'open' | 'write' | 'sync' | 'rename' | 'link' | 'unlink' | 'read' | 'sync-folder';

/** The surroundings of a simulated disk. */
export interface DiskSurroundings {
  /** Milliseconds since 1970. */
  date(): number;
  /** Called before each operation. @returns the system's code where the operation has to fail */
  fault(work: DiskWork, path: string): string | undefined;
  /** Does work that changes something some time later. Work that changes nothing is not handed to it. */
  later<T>(work: () => T): Promise<T>;
}

/** A file system as one process sees it. */
export class SimulatedDisk {
  readonly #files: SimulatedFiles;
  readonly #around: DiskSurroundings;
  readonly #open = new Map<number, { file: SimulatedFile | undefined; path: string; mayWrite: boolean }>();
  #lastFd = 100;

  constructor(files: SimulatedFiles, around: DiskSurroundings) {
    this.#files = files;
    this.#around = around;
  }

  /** Files that the process has open, by their names. */
  get openFiles(): string[] {
    return [...this.#open.values()].map(({ path }) => path);
  }

  /** The same, with the numbers of their descriptors. */
  get descriptors(): { fd: number; path: string }[] {
    return [...this.#open].map(([fd, { path }]) => ({ fd, path }));
  }

  /** The same as the door to the world (`formats/world`) wants it. */
  get disk(): Disk {
    const { later } = this.#around;
    return {
      open: async (path, flags) => {
        if (flags === 'r') return this.#handle(this.#openSync(path, flags));
        return later(() => this.#handle(this.#openSync(path, flags)));
      },
      readFile: async (path) => this.#checked('read', path, this.#found(path)).bytes.toString('utf8'),
      rename: (from, to) => later(() => this.#rename(from, to)),
      link: (from, to) => later(() => this.#link(from, to)),
      unlink: (path) => later(() => this.#unlink(path)),
      mkdir: (path) => later(() => void this.#files.folders.add(path)),
      stat: async (path) => this.#stat(path),
      lstat: async (path) => ({ ...this.#stat(path), isSymbolicLink: () => false }),
      readlink: async (path) => path,
      realpath: async (path) => path,
      statfs: async () => ROOM,
      openSync: (path, flags) => this.#openSync(path, String(flags)),
      openUnnamedSync: () => undefined,
      closeSync: (fd) => void this.#open.delete(fd),
      readSync: (fd, target, at, length, position) => this.#read(fd, target, at, length, position),
      writeSync: (fd, bytes, at, length, position) => this.#write(fd, bytes.subarray(at, at + length), position),
      ftruncateSync: (fd, size) => this.#fileOf(fd).resize(size),
      fstatSync: (fd) => factsOf(this.#fileOf(fd)),
      statSync: (path) => this.#facts(path),
      lstatSync: (path) => this.#facts(path),
      identitySync: (file) => (typeof file === 'number' ? statsOf(this.#fileOf(file)) : this.#stat(file)),
      statfsSync: () => ROOM as StatsFs,
      readFileSync: (path, encoding) => this.#checked('read', path, this.#found(path)).bytes.toString(encoding),
      readlinkSync: (path) => {
        throw failure('EINVAL', path);
      },
      realpathSync: (path) => this.#stat(path) && path,
      truncateSync: (path, size) => this.#found(path).resize(size),
      unlinkSync: (path) => this.#unlink(path),
      readdirSync: (path) =>
        [...this.#files.names.keys(), ...this.#files.folders]
          .filter((name) => dirname(name) === path)
          .map((name) => name.slice(path.length + 1)),
      mkdtempSync: (prefix) => this.#files.newFolder(prefix),
      removeSync: (path) => this.#files.removeFolder(path),
      chmodSync: () => {},
      lchownSync: () => {},
    };
  }

  #handle(fd: number): DiskFile {
    const { later } = this.#around;
    const { file, path } = this.#open.get(fd) ?? {};
    const sync = () => later(() => this.#sync(fd));
    return {
      fd,
      stat: async () => (file ? statsOf(file) : FOLDER),
      read: async (target, at, length, position) => ({
        bytesRead: this.#read(fd, target, at, length, position ?? 0),
      }),
      write: (bytes, at, length, position) =>
        later(() => ({ bytesWritten: this.#write(fd, bytes.subarray(at, at + length), position) })),
      writeFile: (text) => {
        const bytes = Buffer.from(text);
        return later(() => {
          for (let done = 0; done < bytes.length; ) done += this.#write(fd, bytes.subarray(done), done);
        });
      },
      sync,
      datasync: sync,
      close: async () => {
        if (!this.#open.delete(fd)) throw failure('EBADF', path ?? '');
      },
    };
  }

  #openSync(path: string, flags: string): number {
    const there = this.#files.names.get(path);
    const isFolder = this.#files.folders.has(path);
    if (flags.includes('x') && there) throw failure('EEXIST', path);
    this.#check('open', path);
    if (!/[xa]/.test(flags) && !there && !isFolder) throw failure('ENOENT', path);
    const file = isFolder ? undefined : (there ?? this.#files.create(path));
    if (file && !there) file.changedAt = this.#around.date();
    this.#open.set(++this.#lastFd, { file, path, mayWrite: flags !== 'r' });
    return this.#lastFd;
  }

  #read(fd: number, target: Uint8Array, at: number, length: number, position: number): number {
    const { path } = this.#open.get(fd) ?? { path: '' };
    const part = this.#checked('read', path, this.#fileOf(fd)).bytes.subarray(position, position + length);
    target.set(part, at);
    return part.length;
  }

  /** A disk that is full, or fails, may have taken some of the bytes. */
  #write(fd: number, bytes: Uint8Array, position: number): number {
    const { path = '', mayWrite = false } = this.#open.get(fd) ?? {};
    const file = this.#fileOf(fd);
    const code = mayWrite ? this.#around.fault('write', path) : 'EBADF';
    file.write(code === undefined ? bytes : bytes.subarray(0, bytes.length >> 1), position);
    file.changedAt = this.#around.date();
    if (code !== undefined) throw failure(code, path);
    return bytes.length;
  }

  #sync(fd: number): void {
    const { path = '', file } = this.#open.get(fd) ?? {};
    if (file === undefined) {
      this.#check('sync-folder', path);
      this.#files.syncFolder(path);
      return;
    }
    const code = this.#around.fault('sync', path);
    if (code !== undefined) file.loseUnsynced();
    if (code !== undefined) throw failure(code, path);
    file.sync();
  }

  #rename(from: string, to: string): void {
    const file = this.#checked('rename', from, this.#found(from));
    this.#files.change([to, file], [from, undefined]);
  }

  #link(from: string, to: string): void {
    const file = this.#checked('link', from, this.#found(from));
    if (this.#files.names.has(to)) throw failure('EEXIST', to);
    this.#files.change([to, file]);
  }

  #unlink(path: string): void {
    this.#checked('unlink', path, this.#found(path));
    this.#files.change([path, undefined]);
  }

  #stat(path: string): BigIntStats {
    return this.#files.folders.has(path) ? FOLDER : statsOf(this.#found(path));
  }

  #facts(path: string): FileStatus {
    return this.#files.folders.has(path) ? FOLDER_FACTS : factsOf(this.#found(path));
  }

  #found(path: string): SimulatedFile {
    const file = this.#files.names.get(path);
    if (!file) throw failure('ENOENT', path);
    return file;
  }

  #fileOf(fd: number): SimulatedFile {
    const file = this.#open.get(fd)?.file;
    if (!file) throw failure('EBADF', `descriptor ${fd}`);
    return file;
  }

  #checked<T>(work: DiskWork, path: string, value: T): T {
    this.#check(work, path);
    return value;
  }

  #check(work: DiskWork, path: string): void {
    const code = this.#around.fault(work, path);
    if (code !== undefined) throw failure(code, path);
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

const KIND = { isDirectory: () => false, isFile: () => true, isFIFO: () => false, isSymbolicLink: () => false };

function statsOf(file: SimulatedFile): BigIntStats {
  const stats = { ...KIND, dev: 1n, ino: BigInt(file.number), size: BigInt(file.bytes.length) };
  const mtimeMs = BigInt(Math.floor(file.changedAt));
  return { ...stats, mtimeMs, mtimeNs: mtimeMs * 1_000_000n } as unknown as BigIntStats;
}

/** Room that the file system tells of. */
const ROOM = { type: 0, blocks: 2 ** 30, bavail: 2 ** 30, bsize: 4096 };

const OWN = {
  ...{ uid: process.getuid?.() ?? 0, mode: 0o700 },
  ...{ isDirectory: () => false, isFile: () => true, isSymbolicLink: () => false },
};

function factsOf({ bytes, changedAt }: SimulatedFile): FileStatus {
  return { ...OWN, size: bytes.length, blocks: Math.ceil(bytes.length / 512), mtimeMs: changedAt };
}

const FOLDER_FACTS: FileStatus = {
  ...OWN,
  ...{ size: 0, blocks: 0, mtimeMs: 0 },
  isDirectory: () => true,
  isFile: () => false,
};

const FOLDER = {
  ...KIND,
  dev: 1n,
  ino: 0n,
  size: 0n,
  isDirectory: () => true,
  isFile: () => false,
} as unknown as BigIntStats;
