import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { whenAborted } from '../../formats/aborting.ts';
import { linesOf } from '../../formats/binary/lines.ts';
import { MIB } from '../../formats/sizes.ts';
import { jsonOf } from '../../formats/values/json-text.ts';
import { object } from '../../formats/values/shape.ts';
import { SAVKIT } from './own-program.ts';

/** An event of `--ndjson`. */
export type OwnEvent = Record<string, unknown>;

export interface OwnProcessOptions {
  /** Environment variables beside those of this process. */
  env?: NodeJS.ProcessEnv;
  /** Input for its stdin. */
  input?: string;
  /** Makes the process end cleanly. */
  signal: AbortSignal;
  onEvent(event: OwnEvent): void;
}

/** Longest event in bytes: the report of a migration with thousands of rounds. */
const LONGEST_EVENT = 64 * MIB;

/**
 * Runs a command of savkit with `--ndjson` in a process of its own, which survives this one.
 * @returns its exit code; null if it was killed, or could not be started
 */
export async function runOwnProcess(
  words: readonly string[],
  { env = {}, input, signal, onEvent }: OwnProcessOptions,
): Promise<number | null> {
  const child = spawn(process.execPath, [fileURLToPath(SAVKIT), ...words, '--ndjson'], {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
    // Ctrl-C on this process's terminal is for this process to pass on.
    detached: true,
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
    child.once('error', () => resolve(null));
  });
  const forget = whenAborted(signal, () => void child.kill('SIGINT'));
  // The process may end before it has read all input.
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  // An unfinished line of a killed process is dropped.
  for await (const text of linesOf(child.stdout, LONGEST_EVENT, 'drop')) {
    const event = jsonOf(text, object);
    if (event) onEvent(event);
  }
  const exitCode = await ended;
  forget();
  return exitCode;
}
