import { appendFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { EnvironmentError } from '../../formats/errors.ts';

/** A file, and the SHA-256 of its bytes. */
export interface HashedFile {
  path: string;
  sha256: string;
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
