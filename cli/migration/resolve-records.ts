import { FormatError, UsageError } from '../../formats/errors.ts';
import {
  type DecisionRecord,
  keepRecord,
  readRecord,
  SOURCE_DECISIONS,
  TARGET_DECISIONS,
  writeRecord,
} from '../../migrations/hand-over/decision-record.ts';
import { isAlive } from '../../migrations/hand-over/place.ts';
import { withRecordLock } from '../../migrations/hand-over/record-lock.ts';
import { type Resolution, resolve } from '../../migrations/hand-over/resolve.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Outcome } from '../process/run-command.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines } from '../terminal/terminal-text.ts';

export interface ResolveOptions {
  resolve: string;
  /** Record of the other side. */
  peerRecord?: string;
  /** That the other side's process had ended when its record was copied from another host. */
  peerEnded: boolean;
}

/**
 * Says who may run the machine of a migration that broke, and writes it into the records at hand; processes that wait
 * read it there.
 */
export function resolveRecords(options: ResolveOptions): Promise<Outcome> {
  return withRecordLock(options.resolve, () => resolveAlone(options));
}

async function resolveAlone(options: ResolveOptions): Promise<Outcome> {
  const { resolve: path, peerRecord, peerEnded } = options;
  await keepRecord(path);
  const own = await readRecord(path);
  const peer = peerRecord === undefined ? undefined : await readRecord(peerRecord);
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
  const paths = { [own.side]: path, ...(peer && peerRecord !== undefined ? { [peer.side]: peerRecord } : {}) };
  for (const { side, decision } of resolution.write) {
    const record = side === own.side ? own : (peer as DecisionRecord);
    // A process that has decided, or ended, meanwhile changes what is to be written.
    const now = await readRecord(paths[side]);
    if (now.decision !== record.decision || aliveOf(record) !== aliveBefore[side]) return resolveAlone(options);
    await writeRecord(paths[side], { ...record, decision, at: Date.now() });
  }
  return outcomeOf(own, resolution);
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
      `Cannot resolve: ${record.side} has decided ${record.decision}, which is not for it to decide`,
    );
  return decision;
}

function outcomeOf(own: DecisionRecord, { survivor, because, write, notYet }: Resolution): Outcome {
  const { migration, machine, side } = own;
  const isSettled = survivor !== 'undecided' && notYet === undefined;
  const who = survivor === side ? 'this side' : `the ${survivor}`;
  const verdict = isSettled ? good(who) : bad(survivor === 'undecided' ? 'can not be told yet' : `${who}, as yet`);
  const text = [
    line`${machine}: who may run it: ${verdict}: ${because}`,
    ...write.map(({ side: of, decision }) => indent(`written into the record of the ${of}: ${decision}`)),
    ...(notYet === undefined ? [] : [indent(`nothing was written: ${notYet}`)]),
  ];
  const result = { action: 'resolve', migration, machine, side, survivor, because, written: write };
  return { exitCode: isSettled ? ExitCode.OK : ExitCode.PARTLY, result, text: lines(text) };
}
