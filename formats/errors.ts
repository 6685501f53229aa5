import { getSystemErrorMap } from 'node:util';
import type { EnvironmentCode, SystemCode } from './codes/environment-codes.ts';
import type { FormatCode } from './codes/format-codes.ts';
import type { UnsupportedCode } from './codes/unsupported-codes.ts';
import type { UsageCode } from './codes/usage-codes.ts';

/** Place in a file. Each layer adds the parts that it knows. */
export interface Place {
  /** Byte offset from the start of the file or stream. */
  offset?: number;
  /** Name of the unit. */
  unit?: string;
  /** Instance of the unit. */
  instance?: number;
  /** Version of the unit. */
  version?: number;
  /** Pass of a live save; plain saves hold `'final'` only. */
  pass?: Pass;
  /** Name of the field. */
  field?: string;
  /** Guest-physical address. */
  gcPhys?: number;
}

/** `uPass`: 0, 1, 2 … in the live part of a save, `'final'` (SSM_PASS_FINAL) otherwise. */
export type Pass = number | 'final';

/**
 * Common base of savkit's errors: the class tells the caller's options, `code` the fault, `place` its place. All codes
 * are listed in docs/error-codes.md; `savkit explain CODE` tells remedies.
 */
export class SavkitError<Code extends string = string> extends Error {
  /** Name of the finding, such as `truncated`; stable from release to release. */
  readonly code: Code;
  /** VirtualBox's name for the same finding, e.g. `VERR_SSM_INTEGRITY_CRC`; absent where its loader has none. */
  readonly vboxCode: string | undefined;
  /** QEMU's or libvirt's own message for the same finding; absent if they do not notice it. */
  qemuSays: string | undefined;
  /** Place in the file; empty if unknown. */
  place: Place;
  /** Name of the file or stream in which the fault was found, where there may be several. */
  source: string | undefined;

  /** @param message one line for people @param vboxCode VirtualBox's name for the same finding */
  constructor(code: Code, message: string, place: Place = {}, vboxCode?: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.place = place;
    this.vboxCode = vboxCode;
  }

  /** Adds the name of the file, unless one is known. */
  in(source: string): this {
    this.source ??= source;
    return this;
  }

  /** Adds QEMU's or libvirt's own message. */
  saying(qemuSays: string): this {
    this.qemuSays = qemuSays;
    return this;
  }

  /** Adds parts of the place that an outer layer knows; known parts stay. */
  at(place: Place): this {
    this.place = { ...place, ...this.place };
    return this;
  }
}

/** An error that is one of savkit's own. @throws all other errors, which are faults of savkit */
export function ownError(error: unknown): SavkitError {
  if (error instanceof SavkitError) return error;
  throw error;
}

/** The bytes are not what the format demands: the file is bad. */
export class FormatError extends SavkitError<FormatCode> {}

/** The bytes may be fine, but savkit does not support them, or they do not fit the request. */
export class UnsupportedError extends SavkitError<UnsupportedCode> {}

/** The file was never a saved state; `message` names the kind of the file, and a remedy. */
export class NotAStateError extends UnsupportedError {}

/** The error for a count that the format allows, but no known state has. */
export function tooMany(what: string, limit: number): UnsupportedError {
  return new UnsupportedError(
    'too-many',
    `Cannot read ${what}: there are more than ${limit}, which savkit does not support`,
  );
}

/** The caller asked for something that makes no sense: an unknown unit, a bad range. */
export class UsageError extends SavkitError<UsageCode> {}

/** Plainer words for codes whose system message says little. */
const PLAIN_WORDS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a directory',
  ENXIO: 'it is a socket, or a device that is not there',
};

/** The surroundings failed: reading, writing, permissions, no space. */
export class EnvironmentError extends SavkitError<EnvironmentCode> {
  /** The system's message about a failure, without code, call and path; undefined for failures without one. */
  static wordsOf(cause: unknown): string | undefined {
    const { message, errno, code = '' } = cause as NodeJS.ErrnoException;
    // `ENOENT: no such file or directory, open '/x'`, but `connect ENOENT /x`.
    return (
      PLAIN_WORDS[code] ??
      /^[A-Z0-9]+: (.+?), \w+( '.*')?$/s.exec(message)?.[1] ??
      (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1])
    );
  }

  /**
   * The error for a failure of the system. @param cause error that the system threw @param doing completes "Cannot …"
   */
  static from(cause: unknown, doing: string): EnvironmentError {
    const system = cause as NodeJS.ErrnoException;
    const error = new EnvironmentError(
      systemCodeOf(cause),
      `Cannot ${doing}: ${EnvironmentError.wordsOf(cause) ?? system.message}`,
    );
    error.cause = cause;
    return error;
  }
}

/** The code that the system gave with an error. */
export function systemCodeOf(cause: unknown): SystemCode | 'io' {
  const { code = '' } = cause as NodeJS.ErrnoException;
  return /^E[A-Z0-9_]+$/.test(code) ? (code as SystemCode) : 'io';
}

/** The user or the caller's signal stopped the work. */
export class InterruptedError extends SavkitError<'interrupted'> {
  /** @param vboxCode VirtualBox's name for an interruption, where a caller of its loader would get that name */
  constructor(vboxCode?: string) {
    super('interrupted', 'Cannot go on: interrupted', {}, vboxCode);
  }
}

/**
 * Called for damage that leaves the reader able to go on. Throwing the error stops the reading (what loaders do),
 * returning goes on (what `verify` does).
 */
export type OnDamage = (error: FormatError) => void;

export const throwDamage: OnDamage = (error) => {
  throw error;
};

/** The value that `read` gives; undefined if it throws a FormatError. @throws all other errors */
export function unlessBad<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** A number as people read it in dumps: `0x1f000`. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
