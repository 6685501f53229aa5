import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { isAlive } from '../../formats/world/place.ts';
import {
  type Decision,
  type DecisionRecord,
  type MigrationSide,
  readRecord,
} from '../../migrations/hand-over/decision-record.ts';

/** One migration, as the records of a folder tell it. */
export interface RecordedMigration {
  migration: string;
  machine: string;
  /** Time of the last decision; ISO 8601, UTC. */
  time: string;
  /** Sides of this host; both, if both sides keep their records here. */
  sides: { side: MigrationSide; decision: Decision; peer: string; record: string }[];
  outcome: HistoryOutcome;
}

/**
 * `open`: the migration's process runs, or another process with the same PID; `unsettled`: no
 * process of the migration is visible from here.
 */
export type HistoryOutcome = 'moved' | 'arrived' | 'stayed' | 'not arrived' | 'open' | 'unsettled';

const RECORD = /^[0-9a-f]{32}\.(source|target)\.json$/;

const SETTLED: Readonly<Partial<Record<Decision, HistoryOutcome>>> = {
  done: 'moved',
  kept: 'stayed',
  started: 'arrived',
  'gave-up': 'not arrived',
};

/**
 * The migrations of which a folder has records, the last one first.
 * @param onBad called for a file that is named like a record, but is not one
 * @throws EnvironmentError where the folder can't be read; a missing folder counts as empty
 */
export async function listRecords(
  folder: string,
  onBad: (path: string, error: SavkitError) => void,
): Promise<RecordedMigration[]> {
  const records = new Map<string, KeptRecord[]>();
  for (const kept of await readRecords(folder, onBad)) {
    const { migration } = kept.record;
    records.set(migration, [...(records.get(migration) ?? []), kept]);
  }
  return [...records.values()].map(migrationOf).sort((a, b) => (a.time < b.time ? 1 : -1));
}

/** A record, and where it is. */
export interface KeptRecord {
  record: DecisionRecord;
  path: string;
}

/** All records of a folder; parameters and errors as of `listRecords`. */
export async function readRecords(
  folder: string,
  onBad: (path: string, error: SavkitError) => void,
): Promise<KeptRecord[]> {
  const records: KeptRecord[] = [];
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    try {
      records.push({ record: await readRecord(path), path });
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      onBad(path, error);
    }
  }
  return records;
}

function migrationOf(sides: readonly KeptRecord[]): RecordedMigration {
  const records = sides.map(({ record }) => record).sort((a, b) => a.side.localeCompare(b.side));
  const [{ migration, machine }] = records;
  const outcomes = records.map(outcomeOf);
  return {
    migration,
    machine,
    time: dateOf(Math.max(...records.map(({ at }) => at))).toISOString(),
    sides: sides.map(({ record: { side, decision, peer }, path }) => ({ side, decision, peer, record: path })),
    // An unsettled side counts first, then an open side, then the source.
    outcome: (['unsettled', 'open'] as const).find((each) => outcomes.includes(each)) ?? outcomes[0],
  };
}

function outcomeOf(record: DecisionRecord): HistoryOutcome {
  return SETTLED[record.decision] ?? (isAlive(record, true) === true ? 'open' : 'unsettled');
}

/** First and last date of JavaScript are so many ms from 1970; a record may claim any number. */
const FURTHEST = 8.64e15;

function dateOf(time: number): Date {
  return new Date(Math.max(-FURTHEST, Math.min(time, FURTHEST)));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => RECORD.test(name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw EnvironmentError.from(error, `list the records in ${folder}`);
  }
}
