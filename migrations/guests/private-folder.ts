import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A fresh folder that nobody else can look into, for sockets whose paths have to be short. */
export function privateFolder(): string {
  return mkdtempSync(join(tmpdir(), 'savkit-guest-'));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
