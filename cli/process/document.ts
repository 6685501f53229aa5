import { systemDate } from '../../formats/world/waiting.ts';
import type { Finding } from '../../src/saved-state/reading/findings.ts';
import type { ExitCode } from './exit-codes.ts';
import { version } from './version.ts';

/** Version of the JSON documents; `cli/output.schema.json` describes them. */
const SCHEMA = 'savkit/1';

/** Result of a command for one file. */
export interface FileResult {
  file: string;
  exitCode: ExitCode;
  findings: readonly Finding[];
  result: object | null;
  error: Finding | null;
}

/** Document that `--json` prints, for every command and every outcome. */
export interface Document {
  schema: typeof SCHEMA;
  /** Name and version: `savkit 0.1.0`. */
  tool: string;
  /** ISO 8601, UTC. */
  time: string;
  /** Null where the command line names no existing command. */
  command: string | null;
  exitCode: ExitCode;
  files: readonly FileResult[];
  /** Fault of the command line itself. */
  error: Finding | null;
}

export function documentOf(
  command: string | null,
  exitCode: ExitCode,
  files: readonly FileResult[],
  error: Finding | null = null,
): Document {
  return {
    schema: SCHEMA,
    tool: `savkit ${version()}`,
    time: systemDate().toISOString(),
    command,
    exitCode,
    files,
    error,
  };
}
