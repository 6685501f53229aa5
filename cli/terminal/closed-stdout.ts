import { fstatSync, readFileSync, statSync } from 'node:fs';
import { EnvironmentError } from '../../formats/errors.ts';

/** How Node opens /dev/null in place of a stdout that was closed (flags of open, octal); a shell only writes to it. */
const READ_AND_WRITE = /^flags:\s*\d*2$/m;

let known: { error: EnvironmentError | undefined } | undefined;

/** The error of a stdout where nothing would get the output, and nobody has said so with `> /dev/null`. */
export function closedStdout(): EnvironmentError | undefined {
  known ??= { error: isClosed() ? closedError() : undefined };
  return known.error;
}

function closedError(): EnvironmentError {
  return new EnvironmentError('EBADF', 'Cannot write stdout: it is closed; > /dev/null throws the output away');
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
