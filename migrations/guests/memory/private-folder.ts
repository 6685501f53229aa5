import { chmodSync, lchownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh folder that nobody else can look into, for sockets whose paths have to be short. */
export function privateFolder(): string {
  return mkdtempSync(join(tmpdir(), 'savkit-guest-'));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** A folder that another process can enter as well; it may have another user, and another root. */
export interface SharedFolder {
  /** Its path here. */
  here: string;
  /** Its path as that process sees it. */
  there: string;
  /** Lets the process have a file of it. */
  give(path: string): void;
}

/** @param root where this process sees the root of the other one @param uid its user @throws EnvironmentError */
export function sharedFolder({ root, uid }: { root: string; uid: number }): SharedFolder {
  const here = mkdtempSync(join(root, tmpdir(), 'savkit-guest-'));
  const isOthers = process.getuid?.() === 0 && uid !== 0;
  // The folder stays ours: whoever owned it could put links into it, for us to follow.
  if (isOthers) chmodSync(here, 0o711);
  const give = (path: string) => {
    if (isOthers) lchownSync(path, uid, -1);
  };
  return { here, there: `/${here.slice(root.length)}`.replace(/^\/+/, '/'), give };
}
