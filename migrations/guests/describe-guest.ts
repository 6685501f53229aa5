import { statSync } from 'node:fs';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { QemuDescription } from '../machine/description.ts';
import { MigrationError } from '../wire/migration-error.ts';
import type { Backend, GuestDisk, GuestFacts } from './guest-facts.ts';
import { linksOf, pathSeenBy } from './guest-process.ts';

/** What both sides have to agree on before a page of a guest moves. */
export function describeGuest(facts: GuestFacts): QemuDescription {
  const { name, version, cpus, machineType, accelerator, devices } = facts;
  return {
    hypervisor: 'qemu',
    name,
    release: version,
    cpus,
    executes: true,
    machineType,
    accelerator,
    devices,
    disks: writableDisks(facts).map(({ node, device, bytes }) => ({ node, device, bytes })),
    regions: facts.backends.map(({ id, bytes, offset }, i) => ({
      kind: 'ram',
      name: id,
      id: i,
      firstFrame: 0,
      pages: bytes / PAGE_SIZE,
      fileOffset: offset,
    })),
  };
}

/** Media that hold what the guest has written, in the order of the description. */
export function writableDisks({ disks }: GuestFacts): GuestDisk[] {
  return disks.filter(({ isReadOnly }) => !isReadOnly);
}

/**
 * Where the memory of a backend can be opened: its file, or the file that QEMU has open, which needs no name.
 * @throws MigrationError `ram-hidden`
 */
export function ramPathOf({ process }: GuestFacts, { id, path: named, type, bytes }: Backend): string {
  const path = named !== undefined && process !== undefined ? pathSeenBy(process.pid, named) : named;
  const isFile = type === 'memory-backend-file' && path !== undefined;
  if (isFile && !statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  // In a folder QEMU makes a file, and takes its name away.
  const name = isFile ? path : '/memfd:memory-backend';
  const files = process === undefined ? [] : namelessFilesOf(process.pid, name, bytes);
  if (files.length === 1) return files[0];
  throw new MigrationError(
    'ram-hidden',
    files.length === 0
      ? `Cannot reach memory ${id}: the process of QEMU is another user's, or not to be found`
      : `Cannot tell memory ${id} from others: QEMU has ${files.length} nameless ones of ${bytes} bytes`,
  );
}

/** Files without a name that a process has open: `/memfd:memory-backend-memfd (deleted)`. */
function namelessFilesOf(pid: number, name: string, bytes: number): string[] {
  return linksOf(pid)
    .filter(({ target }) => target.startsWith(name) && target.endsWith(' (deleted)'))
    .map(({ path }) => path)
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.size === bytes);
}
