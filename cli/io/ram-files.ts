import { existsSync, statSync } from 'node:fs';
import { UsageError } from '../../formats/errors.ts';

/** Files that a command reads besides the state. @param ram values of `--ram` */
export function ramPaths({ ram = [] }: { ram?: readonly string[] | undefined }): string[] {
  return ram.map((words) => ramFileOf(words).path);
}

/** A value of `--ram`: `FILE` or `BLOCK=FILE`. A file may have an equals sign in its name. */
export function ramFileOf(words: string): { path: string; block?: string } {
  const [, block, path] = existsSync(words) ? [] : (/^([^=]+)=(.+)$/s.exec(words) ?? []);
  return block === undefined ? { path: words } : { path, block };
}

/**
 * Refuses a file that is named twice: blocks never share a file, and one would get the memory of the other. @throws
 * UsageError `bad-ram`
 */
export function expectDifferentFiles(paths: readonly string[]): void {
  const seen = new Set<string>();
  for (const path of paths) {
    const there = statSync(path, { throwIfNoEntry: false, bigint: true });
    if (!there) continue;
    const key = `${there.dev} ${there.ino}`;
    if (seen.has(key)) throw new UsageError('bad-ram', `Cannot take RAM from ${path}: --ram names this file twice`);
    seen.add(key);
  }
}
