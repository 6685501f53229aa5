import { stat } from 'node:fs/promises';
import { EnvironmentError } from '../../formats/errors.ts';

let isOn = false;

/**
 * Has inputs refused from now on that are stdin, a pipe, a socket or a device without an end: a name in a list that
 * another user has made must not make this process wait, or read, for ever.
 */
export function takeOnlyFiles(on: boolean): void {
  isOn = on;
}

/** @throws EnvironmentError `not-a-file`, where only files are taken */
export async function expectAllowed(path: string): Promise<void> {
  if (isOn) await expectFile(path, { attempt: 'open', why: 'with --files-from all inputs have to be files' });
}

/**
 * Refuses pipes, sockets and devices; whether a file is there shows when it is opened. @throws EnvironmentError
 * `not-a-file`
 */
export async function expectFile(path: string, { attempt, why }: { attempt: string; why: string }): Promise<void> {
  const what = path === '-' ? 'stdin' : await kindOf(path);
  if (what) throw new EnvironmentError('not-a-file', `Cannot ${attempt} ${path}: it is ${what}, and ${why}`);
}

async function kindOf(path: string): Promise<string | undefined> {
  const there = await stat(path).catch(() => undefined);
  if (!there || there.isFile() || there.isDirectory() || there.isBlockDevice()) return undefined;
  return there.isFIFO() ? 'a pipe' : there.isSocket() ? 'a socket' : 'a device';
}
