import { resolve as absolute } from 'node:path';
import { FormatError, UsageError } from '../../formats/errors.ts';
import { isAlive } from '../../formats/world/place.ts';
import { world } from '../../formats/world/world.ts';
import {
  type DecisionRecord,
  keepRecord,
  readRecord,
  SOURCE_DECISIONS,
  TARGET_DECISIONS,
  writeRecord,
} from './decision-record.ts';
import { withRecordLock } from './record-lock.ts';
import { type Resolution, resolve } from './resolve.ts';

/** Records of the two sides of one migration. */
export interface RecordsAtHand {
  /** The record of this side, where its process has written it. */
  path: string;
  /** The record of the other side, or a copy of it. */
  peerPath?: string | undefined;
  /** The other side's process had ended when its record was copied from another host. */
  peerEnded: boolean;
}

/** The records as they were, and the outcome that follows from them. */
export interface ResolvedRecords {
  own: DecisionRecord;
  peer: DecisionRecord | undefined;
  resolution: Resolution;
}

/**
 * Decides which side may run the machine of a broken migration, and writes the decision into the given records, where
 * waiting processes read it.
 * @throws UsageError `other-record`, FormatError `bad-record`, EnvironmentError
 */
export function resolveRecordFiles(records: RecordsAtHand): Promise<ResolvedRecords> {
  const { path, peerPath = path } = records;
  // Two operators on one host take the locks in the same order, so that they do not wait for each other.
  const [first, last] = [path, peerPath].map((each) => absolute(each)).sort();
  const decide = () => resolveAlone(records);
  return withRecordLock(first, () => (last === first ? decide() : withRecordLock(last, decide)));
}

async function resolveAlone(records: RecordsAtHand): Promise<ResolvedRecords> {
  const { path, peerPath, peerEnded } = records;
  // Opening a pipe to make it durable would wait for ever.
  await readRecord(path);
  await keepRecord(path);
  const own = await readRecord(path);
  const peer = peerPath === undefined ? undefined : await readRecord(peerPath);
  if (peer && (peer.side === own.side || peer.migration !== own.migration))
    throw new UsageError('other-record', 'Cannot resolve: the records are not the two sides of one migration');
  const [source, target] = own.side === 'source' ? [own, peer] : [peer, own];
  const aliveOf = (record: DecisionRecord | undefined) => {
    if (record === undefined) return 'unknown';
    return record === peer && peerEnded ? false : isAlive(record, record === own);
  };
  const aliveBefore = { source: aliveOf(source), target: aliveOf(target) };
  const resolution = resolve(
    { decision: decisionIn(source, SOURCE_DECISIONS), alive: aliveBefore.source, ...attemptOf(source) },
    { decision: decisionIn(target, TARGET_DECISIONS), alive: aliveBefore.target, ...attemptOf(target) },
  );
  const paths = { [own.side]: path, ...(peer && peerPath !== undefined ? { [peer.side]: peerPath } : {}) };
  for (const { side, decision } of resolution.write) {
    const record = side === own.side ? own : (peer as DecisionRecord);
    // If a process has decided or ended meanwhile, a different decision has to be written.
    const now = await readRecord(paths[side]);
    if (now.decision !== record.decision || aliveOf(record) !== aliveBefore[side]) return resolveAlone(records);
    await writeRecord(paths[side], { ...record, decision, at: world.time.date() });
  }
  return { own, peer, resolution };
}

function attemptOf(record: DecisionRecord | undefined): { attempt?: number } {
  return record === undefined ? {} : { attempt: record.attempt };
}

function decisionIn<T extends string>(record: DecisionRecord | undefined, known: readonly T[]): T | 'unknown' {
  if (record === undefined) return 'unknown';
  const decision = known.find((name) => name === record.decision);
  if (decision === undefined)
    throw new FormatError(
      'bad-record',
      `Cannot resolve: ${record.side} has decided ${record.decision}, which this side cannot decide`,
    );
  return decision;
}
