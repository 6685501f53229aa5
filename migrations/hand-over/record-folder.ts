import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { type DecisionRecord, readRecord, recordPath, TARGET_DECISIONS, type TargetDecision, writeRecord } from './decision-record.ts';

/** The user's folder for what programs remember from one run to the next. */
export function stateFolder(): string {
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'savkit');
}

/** Where records of migrations are kept when nobody says otherwise. */
export function defaultRecordFolder(): string {
  return join(stateFolder(), 'migrations');
}

/** @throws EnvironmentError */
export async function ensureFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw EnvironmentError.from(error, `make folder ${folder}`);
  }
}

/** Whether the process that wrote a record is alive on this host; another one may have got its number, so `true` means maybe. */
export function mayBeAlive({ pid }: DecisionRecord): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * What a target's record says of a migration that this process did not take part in. A process that is gone has taken its memory along: what it
 * had not started, nobody will start, which is written down.
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
