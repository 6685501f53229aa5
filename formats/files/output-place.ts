import type { BigIntStats } from 'node:fs';
import { dirname, sep } from 'node:path';
import { EnvironmentError, UsageError } from '../errors.ts';
import { nameOfHeldFile } from '../locks/held-files.ts';
import { world } from '../world/world.ts';

/** Options for putting an output file in place. */
export interface OutputOptions {
  /** Replace an existing file; default false. */
  force?: boolean;
  /**
   * An input that may be replaced, by the name under which it is being read; for callers that have checked the new file
   * before.
   */
  inPlaceOf?: string;
  /** Let other users read the file, as it tells nothing of a guest; default: only its owner may read it. */
  isForOthers?: boolean;
}

/**
 * Checks an output before any work, and finds its real path: a link stays, and the file that it leads to is replaced.
 * @throws UsageError `same-file` for a file that is being read; EnvironmentError `EEXIST` without `force`, `EISDIR` for
 * a folder, `not-a-file` for a device or pipe, `ENOENT` for a link that leads nowhere, `EACCES` for a link of another
 * user in a folder for everybody
 */
export async function outputPlace(path: string, options: OutputOptions): Promise<string> {
  const there = await world.disk.stat(path, { bigint: true }).catch(() => undefined);
  if (there?.isDirectory() || path.endsWith('/') || path.endsWith(sep) || path === '')
    throw new EnvironmentError(
      'EISDIR',
      `Cannot write ${path === '' ? '""' : path}: it is a folder, expected the name of a file`,
    );
  if (!there) return notThere(path);
  checkHeld(path, there, options);
  if (!there.isFile())
    throw new EnvironmentError(
      'not-a-file',
      `Cannot write ${path}: it is no regular file, and would be replaced by one`,
    );
  if (!options.force) throw alreadyThere(path);
  refuseForeignLink(path);
  return world.disk.realpath(path);
}

/** Mode bits of a folder in which everybody may make names, and nobody may change those of others; as `/tmp`. */
const STICKY_FOR_ALL = 0o1002;

/**
 * Refuses what Linux refuses where `fs.protected_symlinks` is on: in a folder for everybody another user may have made
 * a link so that a file of this user is replaced. @throws EnvironmentError `EACCES`
 */
function refuseForeignLink(path: string): void {
  const [folder, name] = [world.disk.statSync(dirname(path)), world.disk.lstatSync(path)];
  if (!name.isSymbolicLink() || (folder.mode & STICKY_FOR_ALL) !== STICKY_FOR_ALL) return;
  if (name.uid === process.geteuid?.() || name.uid === folder.uid) return;
  throw new EnvironmentError(
    'EACCES',
    `Cannot write ${path}: it is a link that another user has made in a folder for everybody`,
  );
}

/**
 * Checks again whether the existing file is being read, since inputs may have been opened meanwhile. @throws UsageError
 * `same-file`
 */
export async function checkStillFree(path: string, options: OutputOptions): Promise<void> {
  const there = await world.disk.stat(path, { bigint: true }).catch(() => undefined);
  if (there) checkHeld(path, there, options);
}

export function alreadyThere(path: string): EnvironmentError {
  return new EnvironmentError('EEXIST', `Cannot write ${path}: the file exists already`);
}

function checkHeld(path: string, there: BigIntStats, { inPlaceOf }: OutputOptions): void {
  const input = nameOfHeldFile(there);
  if (input === undefined || input === inPlaceOf) return;
  throw new UsageError(
    'same-file',
    `Cannot write ${path}: it is ${input === path ? 'an input itself' : `the same file as the input ${input}`}`,
  );
}

async function notThere(path: string): Promise<string> {
  const link = await world.disk.lstat(path).catch(() => undefined);
  if (link?.isSymbolicLink())
    throw new EnvironmentError(
      'ENOENT',
      `Cannot write ${path}: it is a link to ${await world.disk.readlink(path)}, which does not exist`,
    );
  return path;
}
