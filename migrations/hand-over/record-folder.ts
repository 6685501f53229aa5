import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { isRunning } from '../../formats/files/is-running.ts';
import {
  type DecisionRecord,
  readRecord,
  recordPath,
  TARGET_DECISIONS,
  type TargetDecision,
  writeRecord,
} from './decision-record.ts';

/** The user's folder for what programs remember from one run to the next. @throws EnvironmentError `no-home` */
export function stateFolder(): string {
  const own = process.env.XDG_STATE_HOME ?? '';
  return join(isAbsolute(own) ? own : join(homeFolder(), '.local', 'state'), 'savkit');
}

/** Not every user has one: a container may run as a number that no list of users holds. */
function homeFolder(): string {
  try {
    const found = homedir();
    if (isAbsolute(found)) return found;
  } catch {
    // Said below.
  }
  throw new EnvironmentError(
    'no-home',
    'Cannot find a folder to keep records and machines in: this user has no home; set HOME or XDG_STATE_HOME',
  );
}

/**
 * Where records of migrations are kept: in a folder that the user has named, or in one of the user's own. @throws
 * EnvironmentError `no-home`
 */
export function recordFolder(named: string | undefined): string {
  // The process that runs the machine may have another working directory.
  return named === undefined ? join(stateFolder(), 'migrations') : resolve(named);
}

/** @throws EnvironmentError */
export async function ensureFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw EnvironmentError.from(error, `make folder ${folder}`);
  }
}

/**
 * Whether the process that wrote a record is alive on this host; another one may have got its number, so `true` means
 * maybe.
 */
export function mayBeAlive({ pid }: DecisionRecord): boolean {
  return isRunning(pid);
}

/**
 * What a target's record says of a migration that this process did not take part in. A process that is gone has taken
 * its memory along: what it had not started, nobody will start, which is written down.
 */
export async function recallTarget(folder: string, migration: string): Promise<TargetDecision | 'unknown'> {
  try {
    const path = recordPath(folder, migration, 'target');
    const record = await readRecord(path);
    const decision = TARGET_DECISIONS.find((known) => known === record.decision) ?? 'unknown';
    if ((decision !== 'ready' && decision !== 'receiving') || mayBeAlive(record)) return decision;
    await writeRecord(path, { ...record, decision: 'gave-up', pid: process.pid, at: Date.now() });
    return 'gave-up';
  } catch (error) {
    if (error instanceof SavkitError) return 'unknown';
    throw error;
  }
}
