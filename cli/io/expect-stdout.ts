import { fstatSync, readFileSync, statSync } from 'node:fs';
import { EnvironmentError } from '../../formats/errors.ts';

/**
 * Flags of open (octal) with which Node opens /dev/null in place of a stdout that was closed; a shell opens it only for
 * writing.
 */
const READ_AND_WRITE = /^flags:\s*\d*2$/m;

/**
 * Makes sure that somebody gets the bytes of a command that writes a file to stdout. Texts for people need no such
 * check: programs that throw the texts of others away (Python's DEVNULL, Node's `ignore`) open /dev/null in the same
 * way.
 * @throws EnvironmentError where nothing would get the bytes, and nobody has said so with `> /dev/null`
 */
export function expectStdout(): void {
  if (!isClosed()) return;
  const why = 'it is closed, or /dev/null that is open for reading, too; > /dev/null throws the output away';
  throw new EnvironmentError('EBADF', `Cannot write stdout: ${why}`);
}

function isClosed(): boolean {
  try {
    const there = fstatSync(1, { bigint: true });
    if (!there.isCharacterDevice() || there.rdev !== statSync('/dev/null', { bigint: true }).rdev) return false;
    return READ_AND_WRITE.test(readFileSync('/proc/self/fdinfo/1', 'utf8'));
  } catch {
    // Systems without these files do not tell.
    return false;
  }
}
