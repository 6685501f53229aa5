import { existsSync } from 'node:fs';

/** Files that a command reads besides the state. @param ram values of `--ram` */
export function ramPaths({ ram = [] }: { ram?: readonly string[] | undefined }): string[] {
  return ram.map((words) => ramFileOf(words).path);
}

/** A value of `--ram`: `FILE` or `BLOCK=FILE`. A file may have an equals sign in its name. */
export function ramFileOf(words: string): { path: string; block?: string } {
  const [, block, path] = existsSync(words) ? [] : (/^([^=]+)=(.+)$/s.exec(words) ?? []);
  return block === undefined ? { path: words } : { path, block };
}
