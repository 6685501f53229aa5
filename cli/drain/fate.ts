import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { SavkitError } from '../../formats/errors.ts';
import { isAlive } from '../../formats/world/place.ts';
import { type DecisionRecord, readRecord, recordPath } from '../../migrations/hand-over/decision-record.ts';
import { resolveRecordFiles } from '../../migrations/hand-over/resolve-files.ts';

/** Place of a machine after its migration was begun, as records tell; `because` is one line for people. */
export interface Fate {
  where: 'here' | 'there' | 'unknown';
  because: string;
  /** The process that moved the machine has ended in the midst of the migration. */
  wasBroken?: boolean;
}

export interface FateOptions {
  /** Folder of this side's records. */
  records: string;
  /** Folders in which records of targets may be found. */
  peerRecords: readonly string[];
  signal: AbortSignal;
  /** Called once before waiting for a migration that is still under way. */
  onWait(record: DecisionRecord): void;
}

const LOOK_MS = 200;
/** A target that can be reached reports a machine within this time after the hand-over. */
const HANDED_OVER_MS = 60_000;

/** Tells where a migration's machine is. Waits for a migration that is under way. */
export async function fateOf(migration: string, options: FateOptions): Promise<Fate> {
  const path = recordPath(options.records, migration, 'source');
  try {
    const record = await settledRecord(path, options);
    if (record === undefined) return { where: 'here', because: 'the migration had not begun' };
    if (record.decision === 'kept')
      return { where: 'here', because: 'the source has written down that it keeps the machine' };
    if (record.decision === 'done')
      return { where: 'there', because: 'the source has written down that the target has the machine' };
    return await resolved(path, migration, options.peerRecords);
  } catch (error) {
    if (!(error instanceof SavkitError) || options.signal.aborted) throw error;
    return { where: 'unknown', because: error.message };
  }
}

/** The record, once its process has finished the migration or has ended; undefined if there is none. */
async function settledRecord(path: string, { signal, onWait }: FateOptions): Promise<DecisionRecord | undefined> {
  for (let began = 0; ; await setTimeout(LOOK_MS, undefined, { signal })) {
    if (!existsSync(path)) return undefined;
    const record = await readRecord(path);
    const isOpen = record.decision === 'migrating' || record.decision === 'handed-over';
    if (!isOpen || isAlive(record, true) !== true) return record;
    if (began === 0) onWait(record);
    began ||= performance.now();
    if (record.decision === 'handed-over' && performance.now() - began > HANDED_OVER_MS) return record;
  }
}

async function resolved(path: string, migration: string, peerRecords: readonly string[]): Promise<Fate> {
  const peerPath = peerRecords.map((folder) => recordPath(folder, migration, 'target')).find(existsSync);
  const { resolution } = await resolveRecordFiles({ path, peerPath, peerEnded: false });
  const { survivor, because, notYet } = resolution;
  if (survivor === 'undecided' || notYet !== undefined) return { where: 'unknown', because: notYet ?? because };
  return { where: survivor === 'source' ? 'here' : 'there', because, wasBroken: true };
}
