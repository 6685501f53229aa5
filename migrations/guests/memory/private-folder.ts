import { chmodSync, lchownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder that nobody else can read, with a short path, as sockets need. */
export function privateFolder(): string {
  return mkdtempSync(join(tmpdir(), 'savkit-guest-'));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** A folder that another process can enter, too, which may have another user and another root. */
export interface SharedFolder {
  /** Path for this process. */
  here: string;
  /** Path for that process. */
  there: string;
  /** Gives a file in the folder to that process's user. */
  give(path: string): void;
}

/** @param root path of the other process's root for this process @param uid its user @throws EnvironmentError */
export function sharedFolder({ root, uid }: { root: string; uid: number }): SharedFolder {
  const here = mkdtempSync(join(root, tmpdir(), 'savkit-guest-'));
  const isOthers = process.getuid?.() === 0 && uid !== 0;
  // The folder stays ours: another owner could put links into it that we would follow.
  if (isOthers) chmodSync(here, 0o711);
  const give = (path: string) => {
    if (isOthers) lchownSync(path, uid, -1);
  };
  return { here, there: `/${here.slice(root.length)}`.replace(/^\/+/, '/'), give };
}
