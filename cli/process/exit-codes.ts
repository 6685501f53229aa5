import {
  EnvironmentError,
  FormatError,
  InterruptedError,
  SavkitError,
  UnsupportedError,
  UsageError,
} from '../../formats/errors.ts';
import { MigrationError } from '../../migrations/wire/migration-error.ts';

/** Exit codes of all commands. */
export const ExitCode = {
  OK: 0,
  /** The file is bad. */
  BAD_FILE: 1,
  USAGE: 2,
  /** The work was done in part; the missing parts were listed. */
  PARTLY: 3,
  /** Reading, writing, permissions, no space, the network, a migration that the other side or its limits stopped. */
  ENVIRONMENT: 4,
  /** The file, or the wish, is not supported, or does not fit. */
  UNSUPPORTED: 5,
  /** A fault of savkit itself, which says nothing about the file. */
  INTERNAL: 70,
  INTERRUPTED: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * Codes that say nothing about the file, but something about this host or this moment: another try may end otherwise.
 */
export const TRIED_AGAIN: readonly unknown[] = [ExitCode.ENVIRONMENT, ExitCode.INTERNAL, ExitCode.INTERRUPTED];

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof FormatError) return ExitCode.BAD_FILE;
  if (error instanceof UsageError) return ExitCode.USAGE;
  if (error instanceof UnsupportedError) return ExitCode.UNSUPPORTED;
  if (error instanceof EnvironmentError) return ExitCode.ENVIRONMENT;
  if (error instanceof InterruptedError) return ExitCode.INTERRUPTED;
  if (error instanceof MigrationError && error.isMisfit) return ExitCode.UNSUPPORTED;
  // A stopped migration, or a host without memory, says nothing about a file.
  if (error instanceof SavkitError) return ExitCode.ENVIRONMENT;
  throw error;
}

/** Exit codes from the gravest on; of several files, the gravest outcome counts. */
const GRAVEST = [
  ExitCode.INTERRUPTED,
  ExitCode.INTERNAL,
  ExitCode.ENVIRONMENT,
  ExitCode.USAGE,
  ExitCode.BAD_FILE,
  ExitCode.UNSUPPORTED,
  ExitCode.PARTLY,
];

export function gravest(codes: readonly ExitCode[]): ExitCode {
  return GRAVEST.find((code) => codes.includes(code)) ?? ExitCode.OK;
}
