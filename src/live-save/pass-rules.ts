import { EnvironmentError, UnsupportedError } from '../../formats/errors.ts';
import { GIB, MIB } from '../../formats/sizes.ts';

/** A live save ends with VERR_SSM_TOO_MANY_PASSES after so many passes. Source: SSM.cpp, ssmR3DoLiveExecVoteLoop. */
export const MAX_PASSES = 1_048_576;
/** A file on a disk with less space left than this ends the save. Source: SSM.cpp, ssmR3FileIsOk. */
export const LEAST_FREE_SPACE = 10 * MIB;

/** Factor by which all passes together may exceed the units' guessed sizes. */
const GROWTH = { file: 10_000, stream: 100_000 } as const;

/**
 * Maximum size, in bytes, of all passes together, from the units' guesses of their sizes; the memory unit guesses the
 * RAM size.
 */
export function sizeLimit(guesses: readonly number[], target: 'file' | 'stream'): number {
  const limit = guesses.reduce((sum, guess) => sum + guess, 0) * GROWTH[target];
  if (!Number.isSafeInteger(limit))
    throw new UnsupportedError(
      'too-big',
      `Cannot save machine: its size guess is out of range`,
      {},
      'VERR_OUT_OF_RANGE',
    );
  return Math.max(limit, GIB);
}

export function grewTooBig(written: number, limit: number): UnsupportedError {
  const message =
    `Cannot go on with live save: ${written} bytes written, expected at most ${limit}; the guest dirties memory ` +
    'faster than it can be saved';
  return new UnsupportedError('grew-too-big', message, {}, 'VERR_SSM_STATE_GREW_TOO_BIG');
}

export function tooManyPasses(limit: number): UnsupportedError {
  const message =
    `Cannot go on with live save: no agreement after ${limit} passes; the guest dirties memory as fast as it can ` +
    'be saved';
  return new UnsupportedError('too-many-passes', message, {}, 'VERR_SSM_TOO_MANY_PASSES');
}

export function lowOnSpace(free: number): EnvironmentError {
  return new EnvironmentError(
    'low-on-disk-space',
    `Cannot go on with live save: ${free} bytes are free on its disk, expected at least ${LEAST_FREE_SPACE}`,
    {},
    'VERR_SSM_LOW_ON_DISK_SPACE',
  );
}
