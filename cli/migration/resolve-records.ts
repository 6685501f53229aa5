import { FormatError, UsageError } from '../../formats/errors.ts';
import {
  type DecisionRecord,
  readRecord,
  SOURCE_DECISIONS,
  TARGET_DECISIONS,
  writeRecord,
} from '../../migrations/hand-over/decision-record.ts';
import { mayBeAlive } from '../../migrations/hand-over/record-folder.ts';
import { type Resolution, resolve } from '../../migrations/hand-over/resolve.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Outcome } from '../process/run-command.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines } from '../terminal/terminal-text.ts';

export interface ResolveOptions {
  resolve: string;
  /** Record of the other side. */
  peerRecord?: string;
  /** That the other side's process has ended; its record may have been copied from another host. */
  peerEnded: boolean;
}

/**
 * Says who may run the machine of a migration that broke, and writes it into the records at hand; processes that wait
 * read it there.
 */
export async function resolveRecords(options: ResolveOptions): Promise<Outcome> {
  const { resolve: path, peerRecord, peerEnded } = options;
  const own = await readRecord(path);
  const peer = peerRecord === undefined ? undefined : await readRecord(peerRecord);
  if (peer && (peer.side === own.side || peer.migration !== own.migration))
    throw new UsageError('other-record', 'Cannot resolve: the records are not the two sides of one migration');
  const [source, target] = own.side === 'source' ? [own, peer] : [peer, own];
  const aliveOf = (record: DecisionRecord | undefined) =>
    record === undefined ? 'unknown' : record === peer && peerEnded ? false : mayBeAlive(record);
  const resolution = resolve(
    { decision: decisionIn(source, SOURCE_DECISIONS), alive: aliveOf(source) },
    { decision: decisionIn(target, TARGET_DECISIONS), alive: aliveOf(target) },
  );
  const paths = { [own.side]: path, ...(peer && peerRecord !== undefined ? { [peer.side]: peerRecord } : {}) };
  const missing = resolution.write.filter(({ side }) => paths[side] === undefined);
  if (resolution.survivor === 'undecided') return outcomeOf(own, resolution);
  const unwritten = { ...resolution, write: [] };
  if (missing.length > 0)
    return outcomeOf(own, unwritten, 'to be safe, run it again with both records (--peer-record)');
  if (resolution.write.length > 0 && source?.decision === 'migrating' && aliveOf(source) === true)
    return outcomeOf(
      own,
      unwritten,
      `the process of the source, ${source.pid}, may still be at it: run it again when that has ended`,
    );
  for (const { side, decision } of resolution.write) {
    const record = side === own.side ? own : (peer as DecisionRecord);
    // A process that has decided meanwhile knows better.
    if ((await readRecord(paths[side])).decision !== record.decision) return resolveRecords(options);
    await writeRecord(paths[side], { ...record, decision, at: Date.now() });
  }
  return outcomeOf(own, resolution);
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

/** @param whyNot nothing was written */
function outcomeOf(own: DecisionRecord, { survivor, because, write }: Resolution, whyNot?: string): Outcome {
  const { migration, machine, side } = own;
  const verdict =
    survivor === 'undecided' ? bad('can not be told yet') : good(survivor === side ? 'this side' : `the ${survivor}`);
  const text = [
    line`${machine}: who may run it: ${verdict}: ${because}`,
    ...write.map(({ side: of, decision }) => indent(`written into the record of the ${of}: ${decision}`)),
    ...(whyNot === undefined ? [] : [indent(`nothing was written: ${whyNot}`)]),
  ];
  const result = { action: 'resolve', migration, machine, side, survivor, because, written: write };
  return {
    exitCode: survivor === 'undecided' || whyNot !== undefined ? ExitCode.PARTLY : ExitCode.OK,
    result,
    text: lines(text),
  };
}
