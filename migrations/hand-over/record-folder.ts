import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { isAlive } from '../../formats/world/place.ts';
import { world } from '../../formats/world/world.ts';
import { readRecord, recordPath, TARGET_DECISIONS, type TargetDecision, writeRecord } from './decision-record.ts';
import { withRecordLock } from './record-lock.ts';

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
    await world.disk.mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw EnvironmentError.from(error, `make folder ${folder}`);
  }
}

/**
 * What a target's record says of a migration that this process did not take part in. A process that is gone has taken
 * its memory along: what it had not started, nobody will start, which is written down.
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
