import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError } from '../../../formats/errors.ts';
import { namesIn } from '../../../formats/files/temporary-files.ts';
import { isAlive } from '../../../formats/world/place.ts';
import { world } from '../../../formats/world/world.ts';

/** The name of a folder holds a short form of its maker's place, and its process number. */
const MAKER = /^savkit-guest-([0-9a-f]{6})-(\d+)-\w{6}$/;

/**
 * A fresh folder that nobody else can look into, for sockets whose paths have to be short. Folders of killed processes
 * are removed before.
 * @throws EnvironmentError
 */
export function privateFolder(parent = tmpdir()): string {
  removeLeftFolders(parent);
  try {
    return world.disk.mkdtempSync(join(parent, `savkit-guest-${ownPlace()}-${world.process.pid}-`));
  } catch (cause) {
    throw EnvironmentError.from(cause, `make a temporary folder in ${parent}`);
  }
}

/** Removes a folder that nobody needs any more. A folder that the disk does not remove stays for the next savkit. */
export function removeFolder(path: string): void {
  // Tried twice, as a QEMU that is ending may put a file into it meanwhile. A failure is no error: the work that the
  // folder was made for is over.
  if (!removed(path)) removed(path);
}

function removed(path: string): boolean {
  try {
    world.disk.removeSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A folder that another process can enter as well, even with another user and root. */
export interface SharedFolder {
  /** Path for this process. */
  here: string;
  /** Path for the other process. */
  there: string;
  /** Lets the process have a file of it. @throws EnvironmentError */
  give(path: string): void;
}

/** @param root where this process sees the root of the other one @param uid its user @throws EnvironmentError */
export function sharedFolder({ root, uid }: { root: string; uid: number }): SharedFolder {
  const here = privateFolder(join(root, tmpdir()));
  const isOthers = process.getuid?.() === 0 && uid !== 0;
  // The folder stays this user's: another owner could put links into it, which savkit would follow.
  try {
    if (isOthers) world.disk.chmodSync(here, 0o711);
  } catch (cause) {
    removeFolder(here);
    throw EnvironmentError.from(cause, `share ${here}`);
  }
  const give = (path: string) => {
    try {
      if (isOthers) world.disk.lchownSync(path, uid, -1);
    } catch (cause) {
      throw EnvironmentError.from(cause, `give ${path} to another user`);
    }
  };
  return { here, there: `/${here.slice(root.length)}`.replace(/^\/+/, '/'), give };
}

/**
 * Short form of this process's place; other places have process numbers of their own, so folders from there are left
 * alone.
 */
function ownPlace(): string {
  return createHash('sha256').update(world.process.place()).digest('hex').slice(0, 6);
}

/**
 * Removes folders of ended processes. A guest, or a watchdog, may outlive the process that made its folder: then a
 * command line names the folder.
 */
function removeLeftFolders(parent: string): void {
  const left = namesIn(parent).filter((name) => isLeft(parent, name));
  if (left.length === 0) return;
  const used = namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(commandLineOf);
  // Where command lines can't be read, it is not known which files are in use.
  if (!used.some((words) => words !== '')) return;
  // Another process may remove the folder at the same time.
  for (const name of left) if (!used.some((words) => words.includes(name))) removeFolder(join(parent, name));
}

function isLeft(parent: string, name: string): boolean {
  const [, place, pid] = MAKER.exec(name) ?? [];
  if (place !== ownPlace() || isAlive({ place: world.process.place(), pid: Number(pid) }, false) !== false)
    return false;
  try {
    const there = world.disk.lstatSync(join(parent, name));
    return there.isDirectory() && there.uid === process.getuid?.();
  } catch {
    return false;
  }
}

function commandLineOf(pid: string): string {
  try {
    return world.disk.readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
