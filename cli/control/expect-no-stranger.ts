import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { EnvironmentError } from '../../formats/errors.ts';
import { HAS_PIPES } from './socket-path.ts';

const MOST_LINKS = 40;
/** Mode bit of folders in which everybody can make files. */
const FOR_ALL = 0o002;
const ROOT_USER = 0;

/**
 * Refuses a socket that another user may have put where everybody can make files, such as in /tmp: requests carry the
 * pairing code, or a private key. In a folder that is not open to all, its owner decides who listens.
 * @throws EnvironmentError `other-user`; errors of the system, such as ENOENT: what appears there later is not checked
 */
export function expectNoStranger(path: string): void {
  const place = HAS_PIPES ? undefined : ofStranger(path);
  if (place === undefined) return;
  const whose = place === resolve(path) ? 'it belongs' : `${place} belongs`;
  throw new EnvironmentError(
    'other-user',
    `Cannot ask the machine at ${path}: ${whose} to another user, in a folder where everybody can make files; ask as ` +
      'that user, or have the machine open its socket elsewhere',
  );
}

/**
 * The first part of a path, links followed, that belongs neither to this user nor to root, and lies in a folder where
 * everybody can make files.
 */
function ofStranger(path: string): string | undefined {
  const ahead = partsOf(resolve(path));
  let [at, links] = ['/', 0];
  while (ahead.length > 0) {
    const name = ahead.shift() ?? '';
    const here = name === '..' ? dirname(at) : join(at, name);
    const found = lstatSync(here);
    const isOpen = (lstatSync(at).mode & FOR_ALL) !== 0;
    if (isOpen && found.uid !== ROOT_USER && found.uid !== process.getuid?.()) return here;
    if (!found.isSymbolicLink()) at = here;
    else if (++links > MOST_LINKS) return here;
    else {
      const target = readlinkSync(here);
      ahead.unshift(...partsOf(target));
      if (target.startsWith('/')) at = '/';
    }
  }
  return undefined;
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
