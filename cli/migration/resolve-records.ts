import type { DecisionRecord } from '../../migrations/hand-over/decision-record.ts';
import type { Resolution } from '../../migrations/hand-over/resolve.ts';
import { resolveRecordFiles } from '../../migrations/hand-over/resolve-files.ts';
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
export async function resolveRecords({ resolve: path, peerRecord, peerEnded }: ResolveOptions): Promise<Outcome> {
  const { own, resolution } = await resolveRecordFiles({ path, peerPath: peerRecord, peerEnded });
  return outcomeOf(own, resolution);
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
