import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { isAlive } from '../../formats/world/place.ts';
import { world } from '../../formats/world/world.ts';
import { readRecord, recordPath, TARGET_DECISIONS, type TargetDecision, writeRecord } from './decision-record.ts';
import { withRecordLock } from './record-lock.ts';

/** The user's folder for persistent state of programs. @throws EnvironmentError `no-home` */
export function stateFolder(): string {
  const own = process.env.XDG_STATE_HOME ?? '';
  return join(isAbsolute(own) ? own : join(homeFolder(), '.local', 'state'), 'savkit');
}

/** The user's home, which may be missing: containers run as user numbers without an entry in the list of users. */
function homeFolder(): string {
  try {
    const found = homedir();
    if (isAbsolute(found)) return found;
  } catch {
    // The error below tells the user.
  }
  throw new EnvironmentError(
    'no-home',
    'Cannot find a folder to keep records and machines in: this user has no home; set HOME or XDG_STATE_HOME',
  );
}

/**
 * The folder for records of migrations: the one that was named, or the default below the user's home. @throws
 * EnvironmentError `no-home`
 */
export function recordFolder(named: string | undefined): string {
  // The process that runs the machine may have another working directory.
  return named === undefined ? join(stateFolder(), 'migrations') : resolve(named);
}

/** @throws EnvironmentError */
export async function ensureFolder(folder: string): Promise<void> {
  try {
    await world.disk.mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw EnvironmentError.from(error, `make folder ${folder}`);
  }
}

/**
 * The decision in a target's record of a migration that another process has taken. If that process has ended without
 * starting the machine, the machine's memory is lost with it: this is written into the record as a final decision.
 */
export async function recallTarget(folder: string, migration: string): Promise<TargetDecision | 'unknown'> {
  const path = recordPath(folder, migration, 'target');
  try {
    return await withRecordLock(path, () => recall(path));
  } catch (error) {
    if (error instanceof SavkitError) return 'unknown';
    throw error;
  }
}

async function recall(path: string): Promise<TargetDecision | 'unknown'> {
  const record = await readRecord(path);
  const decision = TARGET_DECISIONS.find((known) => known === record.decision) ?? 'unknown';
  if ((decision !== 'ready' && decision !== 'receiving') || isAlive(record, true) !== false) return decision;
  await writeRecord(path, { ...record, decision: 'gave-up', at: world.time.date() });
  return 'gave-up';
}
