import {
  type BigIntStats,
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { link, lstat, mkdir, open, readFile, readlink, realpath, rename, stat, statfs, unlink } from 'node:fs/promises';

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
  closeSync(fd: number): void;
  readSync(fd: number, target: Uint8Array, at: number, length: number, position: number): number;
  writeSync(fd: number, bytes: Uint8Array, at: number, length: number, position: number): number;
  ftruncateSync(fd: number, size: number): void;
  fstatSync(fd: number): { size: number };
  statSync(path: string): { mtimeMs: number };
  unlinkSync(path: string): void;
  readdirSync(path: string): string[];
}

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
  closeSync,
  readSync,
  writeSync,
  ftruncateSync,
  fstatSync,
  statSync,
  unlinkSync,
  readdirSync: (path) => readdirSync(path),
};
