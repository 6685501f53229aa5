import { PAGE_SIZE } from '../../formats/sizes.ts';
import { world } from '../../formats/world/world.ts';
import { MigrationError } from '../wire/migration-error.ts';
import type { Backend, GuestFacts } from './guest-facts.ts';
import { linksOf, pathSeenBy, processesBehind, told } from './guest-process.ts';
import { isProcessMemory, type RamPiece, type RamPlace } from './memory/ram-files.ts';

/**
 * Finds a way to the memory of each backend of a guest: its file; the file that QEMU has open, which may have no name;
 * else the memory of QEMU's process.
 * @throws MigrationError `ram-hidden`
 */
export function locateMemory(facts: GuestFacts): RamPiece[] {
  return facts.backends.map((backend) => {
    const pages = backend.bytes / PAGE_SIZE;
    if (pages === 0 || !Number.isInteger(pages))
      throw new MigrationError(
        'ram-hidden',
        `Cannot reach memory ${backend.id}: it has ${backend.bytes} bytes, expected pages of ${PAGE_SIZE}`,
      );
    const path = backend.isShared ? fileOf(facts, backend) : undefined;
    if (path !== undefined) return { path, offset: backend.offset, pages };
    const { process } = facts;
    if (process !== undefined && backend.hostAddress !== undefined)
      return { path: `/proc/${process.pid}/mem`, offset: backend.hostAddress, pages };
    throw new MigrationError('ram-hidden', `Cannot reach memory ${backend.id}: ${HIDDEN}`);
  });
}

/**
 * Expects files that QEMU itself has open. A QEMU that has been taken over may name a file that its own user must not
 * read; savkit might be able to read it, and would put it into the memory of a guest.
 * @param socket of QEMU's QMP: if several processes seem to listen there, one of them has to have opened the file
 * @throws MigrationError `ram-hidden` for a file that QEMU's process has not opened; not checked if no process is
 * known, or none is accessible
 */
export function expectOwnFiles({ process }: GuestFacts, places: readonly RamPlace[], socket: string): void {
  const processes = process === undefined ? processesBehind(socket) : [process];
  const own = new Set(processes.flatMap(({ pid }) => linksOf(pid)).flatMap(({ path }) => fileAt(path)));
  if (own.size === 0) return;
  for (const { fd, path } of places) {
    const file = fileAt(fd);
    if (isProcessMemory(path) || file.some((each) => own.has(each))) continue;
    throw new MigrationError('ram-hidden', `Cannot reach memory ${path}: QEMU names this file, and has not opened it`);
  }
}

/** Device and inode of a file; none for one that is gone. */
function fileAt(file: string | number): string[] {
  const found = told(() => world.disk.identitySync(file), undefined);
  return found ? [`${found.dev} ${found.ino}`] : [];
}

/** Reason why memory is out of reach, and the remedy. */
export const HIDDEN =
  "the process of QEMU is another user's or not to be found, and the memory is in no file: run savkit as root, or " +
  'start QEMU with -object memory-backend-file,id=pc.ram,size=…,mem-path=/dev/shm/vm.ram,share=on -machine ' +
  '…,memory-backend=pc.ram';

/** The last version of QEMU that was seen to leave shared memory without a name out of its stream is 7.2. */
const FIRST_TO_NEED_NAMES = 8;

/** Whether QEMU leaves shared memory out of its stream, as a file that both sides have. */
export function isLeftOut({ isShared, type }: Backend, version: string): boolean {
  if (!isShared) return false;
  return (
    type === 'memory-backend-file' ||
    (type === 'memory-backend-memfd' && Number.parseInt(version, 10) < FIRST_TO_NEED_NAMES)
  );
}

function fileOf({ process }: GuestFacts, { path: named, type, bytes }: Backend): string | undefined {
  const path = named !== undefined && process !== undefined ? pathSeenBy(process.pid, named) : named;
  const isFile = type === 'memory-backend-file' && path !== undefined;
  if (isFile && !told(() => world.disk.statSync(path).isDirectory(), false)) return path;
  // In a folder QEMU creates a file, and unlinks it.
  const name = isFile ? path : '/memfd:memory-backend';
  const files = process === undefined ? [] : namelessFilesOf(process.pid, name, bytes);
  // Several files of the same size cannot be told apart.
  return files.length === 1 ? files[0] : undefined;
}

/** Files without a name that a process has open: `/memfd:memory-backend-memfd (deleted)`. */
function namelessFilesOf(pid: number, name: string, bytes: number): string[] {
  return linksOf(pid)
    .filter(({ target }) => target.startsWith(name) && target.endsWith(' (deleted)'))
    .map(({ path }) => path)
    .filter((path) => told(() => world.disk.statSync(path).size, undefined) === bytes);
}
