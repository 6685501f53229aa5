import { chownSync, mkdtempSync, rmSync } from 'node:fs';
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
  const give = (path: string) => {
    if (process.getuid?.() === 0 && uid !== 0) chownSync(path, uid, -1);
  };
  give(here);
  return { here, there: `/${here.slice(root.length)}`.replace(/^\/+/, '/'), give };
}
