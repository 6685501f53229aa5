import type { BigIntStats } from 'node:fs';
import { type Disk, type DiskFile, REAL_DISK } from '../world/disk.ts';
import type { DiskWork as SimulatedWork } from './simulated-disk.ts';

/** Closing may tell of an earlier failure; the descriptor is gone all the same. */
export type DiskWork = SimulatedWork | 'close';

/** Watches the operations of a disk. */
export interface Watcher {
  /** Called before each operation. @returns the system's code where the operation has to fail */
  fault(work: DiskWork, path: string): string | undefined;
  /** A file got its name before its bytes were synced. */
  onUnsynced?(path: string): void;
}

/**
 * The real disk, some of whose operations fail. Of files that are only read, `fault` is asked for `read` and `close`
 * alone.
 */
export function faultyDisk({ fault, onUnsynced }: Watcher): Disk {
  const open = new Map<number, string>();
  /** Files with bytes that no sync has made durable. */
  const unsynced = new Set<string>();
  const check = (work: DiskWork, path: string) => {
    const code = fault(work, path);
    if (code !== undefined) throw Object.assign(new Error(`${code}: ${work} ${path}`), { code });
  };
  const note = (fd: number, path: string) => void open.set(fd, path);
  const wrote = (fd: number) => {
    const path = open.get(fd) ?? '';
    check('write', path);
    unsynced.add(path);
  };
  const named = (from: string, to: string) => {
    if (unsynced.has(from)) onUnsynced?.(to);
  };
  const handle = (file: DiskFile, path: string, isFolder: boolean): DiskFile => ({
    fd: file.fd,
    stat: (options) => file.stat(options) as Promise<BigIntStats>,
    read: (target, at, length, position) => file.read(target, at, length, position),
    async write(bytes, at, length, position) {
      wrote(file.fd);
      return file.write(bytes, at, length, position);
    },
    async writeFile(text) {
      wrote(file.fd);
      await file.writeFile(text);
    },
    async sync() {
      check(isFolder ? 'sync-folder' : 'sync', path);
      await file.sync();
      unsynced.delete(path);
    },
    async datasync() {
      check('sync', path);
      await file.datasync();
    },
    async close() {
      await file.close();
      check('close', path);
    },
  });
  return {
    ...REAL_DISK,
    async open(path, flags, mode) {
      if (flags !== 'r') check('open', path);
      const file = await REAL_DISK.open(path, flags, mode);
      note(file.fd, path);
      return handle(file, path, (await file.stat({ bigint: true })).isDirectory());
    },
    openSync(path, flags, mode) {
      if (typeof flags === 'string' && flags !== 'r') check('open', path);
      const fd = REAL_DISK.openSync(path, flags, mode);
      note(fd, path);
      return fd;
    },
    closeSync(fd) {
      REAL_DISK.closeSync(fd);
      check('close', open.get(fd) ?? '');
    },
    readSync(fd, target, at, length, position) {
      check('read', open.get(fd) ?? '');
      return REAL_DISK.readSync(fd, target, at, length, position);
    },
    writeSync(fd, bytes, at, length, position) {
      wrote(fd);
      return REAL_DISK.writeSync(fd, bytes, at, length, position);
    },
    ftruncateSync(fd, size) {
      wrote(fd);
      REAL_DISK.ftruncateSync(fd, size);
    },
    async rename(from, to) {
      check('rename', to);
      named(from, to);
      await REAL_DISK.rename(from, to);
    },
    async link(from, to) {
      check('link', to);
      named(from, to);
      await REAL_DISK.link(from, to);
    },
    async unlink(path) {
      check('unlink', path);
      await REAL_DISK.unlink(path);
    },
    unlinkSync(path) {
      check('unlink', path);
      REAL_DISK.unlinkSync(path);
    },
  };
}
