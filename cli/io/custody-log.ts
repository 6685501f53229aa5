import { appendFile, realpath } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import { isFreeOr } from './own-file.ts';

/** A file, and the SHA-256 of its bytes. */
export interface HashedFile {
  path: string;
  sha256: string;
}

/** The lists that a command is to append to. */
export interface Lists {
  sums?: string;
  custody?: string;
}

/** What each of them begins with. */
const BEGINNINGS: Readonly<Record<keyof Lists, RegExp>> = { sums: /^\\?[0-9a-f]{64} [ *]/, custody: /^\{"time":"/ };

/**
 * Whatever lists are appended to, no other file is: to be called before they are, and before any work.
 * @param files what is read and written beside them
 * @throws UsageError `same-file`; EnvironmentError `EEXIST` for a file that is no such list
 */
export async function expectLists({ sums, custody }: Lists, files: readonly string[]): Promise<void> {
  const taken = new Set(await Promise.all(files.map(placeOf)));
  for (const [kind, path] of [['sums', sums] as const, ['custody', custody] as const]) {
    if (path === undefined) continue;
    const place = await placeOf(path);
    if (taken.has(place))
      throw new UsageError('same-file', `Cannot append to ${path}: --${kind} takes a file of its own`);
    taken.add(place);
    if (!(await isFreeOr(path, BEGINNINGS[kind])))
      throw new EnvironmentError('EEXIST', `Cannot append to ${path}: it is there already, and no list of --${kind}`);
  }
}

async function placeOf(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

/**
 * Appends a link of a chain of custody: who has made what of which file, when, where and with which savkit. Processes
 * side by side may append to one log: a link is written at once.
 * @throws EnvironmentError
 */
export async function noteCustody(
  log: string,
  made: { tool: string; command: string; input: HashedFile; output: HashedFile },
): Promise<void> {
  const link = { time: new Date().toISOString(), user: userInfo().username, host: hostname(), ...made };
  await append(log, `${JSON.stringify(link)}\n`);
}

/** Appends to a list as `sha256sum --check` reads it. @throws EnvironmentError */
export async function noteSums(list: string, files: readonly HashedFile[]): Promise<void> {
  await append(list, files.map(sumLine).join(''));
}

/** A name with a line break or a backslash is escaped, and the line marked by a backslash. */
function sumLine({ path, sha256 }: HashedFile): string {
  const escaped = path.replace(/[\\\n\r]/g, (letter) => ({ '\n': '\\n', '\r': '\\r' })[letter] ?? '\\\\');
  return `${escaped === path ? '' : '\\'}${sha256}  ${escaped}\n`;
}

async function append(path: string, text: string): Promise<void> {
  await appendFile(path, text, { mode: 0o600 }).catch((error: unknown) => {
    throw EnvironmentError.from(error, `append to ${path}`);
  });
}
