import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lchownSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  realpathSync,
  rmSync,
  type Stats,
  type StatsFs,
  statfsSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { link, lstat, mkdir, open, readFile, readlink, realpath, rename, stat, statfs, unlink } from 'node:fs/promises';

/** Facts about a file or folder. */
export type FileStatus = Pick<
  Stats,
  'size' | 'blocks' | 'mtimeMs' | 'uid' | 'mode' | 'isFile' | 'isDirectory' | 'isSymbolicLink'
>;

/** An open file. */
export interface DiskFile {
  readonly fd: number;
  stat(options: { bigint: true }): Promise<BigIntStats>;
  read(target: Uint8Array, at: number, length: number, position: number | null): Promise<{ bytesRead: number }>;
  write(bytes: Uint8Array, at: number, length: number, position: number): Promise<{ bytesWritten: number }>;
  writeFile(text: string): Promise<void>;
  /** Makes the file's bytes durable. */
  sync(): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** Functions of a file system, like Node's functions of the same names. */
export interface Disk {
  open(path: string, flags: string, mode?: number): Promise<DiskFile>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, options: { recursive: true; mode: number }): Promise<unknown>;
  stat(path: string, options: { bigint: true }): Promise<BigIntStats>;
  lstat(path: string): Promise<{ isSymbolicLink(): boolean }>;
  readlink(path: string): Promise<string>;
  realpath(path: string): Promise<string>;
  statfs(path: string): Promise<{ bavail: number; bsize: number }>;
  openSync(path: string, flags: string | number, mode?: number): number;
  /** A file for reading and writing that never has a name in its folder; undefined where the system makes none. */
  openUnnamedSync(folder: string): number | undefined;
  closeSync(fd: number): void;
  readSync(fd: number, target: Uint8Array, at: number, length: number, position: number): number;
  writeSync(fd: number, bytes: Uint8Array, at: number, length: number, position: number): number;
  ftruncateSync(fd: number, size: number): void;
  fstatSync(fd: number): FileStatus;
  statSync(path: string): FileStatus;
  lstatSync(path: string): FileStatus;
  /** Numbers that identify a file. */
  identitySync(file: string | number): { dev: bigint; ino: bigint };
  statfsSync(path: string): StatsFs;
  readFileSync(path: string, encoding: 'utf8' | 'latin1'): string;
  readlinkSync(path: string): string;
  realpathSync(path: string): string;
  truncateSync(path: string, size: number): void;
  unlinkSync(path: string): void;
  readdirSync(path: string): string[];
  /** @returns the path of a new folder, with this beginning */
  mkdtempSync(prefix: string): string;
  /** Removes a folder with its contents, if it exists. */
  removeSync(path: string): void;
  chmodSync(path: string, mode: number): void;
  lchownSync(path: string, uid: number, gid: number): void;
}

const BIG = { bigint: true } as const;

export const REAL_DISK: Disk = {
  open,
  readFile,
  rename,
  link,
  unlink,
  mkdir,
  stat,
  lstat,
  readlink,
  realpath,
  statfs,
  openSync,
  openUnnamedSync,
  closeSync,
  readSync,
  writeSync,
  ftruncateSync,
  fstatSync: (fd) => fstatSync(fd),
  statSync: (path) => statSync(path),
  lstatSync: (path) => lstatSync(path),
  identitySync: (file) => (typeof file === 'number' ? fstatSync(file, BIG) : statSync(file, BIG)),
  statfsSync: (path) => statfsSync(path),
  readFileSync: (path, encoding) => readFileSync(path, encoding),
  readlinkSync: (path) => readlinkSync(path),
  realpathSync: (path) => realpathSync(path),
  truncateSync,
  unlinkSync,
  readdirSync: (path) => readdirSync(path),
  mkdtempSync: (prefix) => mkdtempSync(prefix),
  removeSync: (path) => rmSync(path, { recursive: true, force: true }),
  chmodSync,
  lchownSync,
};

/** Linux's O_TMPFILE, which Node does not name, has two bits; the other one is O_DIRECTORY. */
const TMPFILE = 0o20000000;

function openUnnamedSync(folder: string): number | undefined {
  // On Linux for other processors the bit is another one.
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined;
  const { O_DIRECTORY, O_RDWR, O_EXCL } = constants;
  try {
    // O_EXCL: nobody can give the file a name later on.
    return openSync(folder, TMPFILE | O_DIRECTORY | O_RDWR | O_EXCL, 0o600);
  } catch {
    // Some file systems have no files without a name.
    return undefined;
  }
}
