import { dirname, resolve } from 'node:path';
import { type SettledGuest, type Settlement, settleGuest } from '../../migrations/guests/settle/settle-guest.ts';
import type { DecisionRecord } from '../../migrations/hand-over/decision-record.ts';
import { recordFolder } from '../../migrations/hand-over/record-folder.ts';
import type { Resolution } from '../../migrations/hand-over/resolve.ts';
import { resolveRecordFiles } from '../../migrations/hand-over/resolve-files.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { Outcome } from '../process/run-command.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines, type Piece, type TerminalText } from '../terminal/terminal-text.ts';
import { readRecords } from './list-records.ts';

export interface ResolveOptions {
  resolve: string;
  /** Record of the other side. */
  peerRecord?: string;
  /** Whether the other side's process had ended when its record was copied from that host. */
  peerEnded: boolean;
  /** Folder of this user's records; by default the one below the user's home. */
  records?: string | undefined;
}

/**
 * Decides which side may run the machine of an interrupted migration, and writes the decision into the records at hand,
 * where waiting processes read it. Guests of QEMU that have outlived their savkit process are continued, or ended.
 */
export async function resolveRecords({
  resolve: path,
  peerRecord,
  peerEnded,
  records,
}: ResolveOptions): Promise<Outcome> {
  const { own, peer, resolution } = await resolveRecordFiles({ path, peerPath: peerRecord, peerEnded });
  const guests: SettledGuest[] = [];
  const others = async () =>
    (await Promise.all(foldersOf(path, records).map((each) => readRecords(each, () => {})))).flat();
  for (const record of isSettled(resolution) ? [own, ...(peer ? [peer] : [])] : []) {
    const isSurvivor = record.side === resolution.survivor;
    const settled = await settleGuest(record, record === own, { isSurvivor, others });
    if (settled) guests.push(settled);
  }
  return outcomeOf(own, resolution, guests);
}

/** Folders with records of other migrations of the machine; beside the record of a save there may be no others. */
function foldersOf(path: string, records: string | undefined): string[] {
  const beside = resolve(dirname(path));
  try {
    return [...new Set([beside, recordFolder(records)])];
  } catch {
    // This user has no home.
    return [beside];
  }
}

function isSettled({ survivor, notYet }: Resolution): boolean {
  return survivor !== 'undecided' && notYet === undefined;
}

function outcomeOf(own: DecisionRecord, resolution: Resolution, guests: readonly SettledGuest[]): Outcome {
  const { survivor, because, write, notYet } = resolution;
  const { migration, machine, side, guest } = own;
  const who = survivor === side ? 'this side' : `the ${survivor}`;
  const verdict = isSettled(resolution)
    ? good(who)
    : bad(survivor === 'undecided' ? 'cannot be told yet' : `${who}, as yet`);
  const text = [
    line`${machine}: who may run it: ${verdict}: ${because}`,
    ...write.map(({ side: of, decision }) => indent(`written into the record of the ${of}: ${decision}`)),
    ...(notYet === undefined ? [] : [indent(`nothing was written: ${notYet}`)]),
    ...(guest === undefined || isSettled(resolution)
      ? []
      : [indent(line`until then its QEMU here, process ${guest.pid}, QMP socket ${guest.qmp}, is left as it is`)]),
    ...guests.map(guestLine),
  ];
  const result = { action: 'resolve', migration, machine, side, survivor, because, written: write, guests };
  const isDone = isSettled(resolution) && guests.every(({ settlement }) => DONE.includes(settlement));
  return { exitCode: isDone ? ExitCode.OK : ExitCode.PARTLY, result, text: lines(text) };
}

const DONE: readonly Settlement[] = ['let-run', 'quit', 'as-it-was', 'ended'];

function guestLine({ side, pid, qmp, settlement, message }: SettledGuest): TerminalText {
  const words: Record<Settlement, Piece> = {
    'let-run': good('was continued'),
    quit: 'was paused, and was ended',
    'as-it-was': 'needs no change',
    ended: 'has ended already',
    another: bad('is gone: another process listens at its socket, and was left alone'),
    'moves-on': bad('is left as it is: another migration of it is open'),
    unreachable: bad('could not be reached'),
    'runs-twice': bad("runs, though the guest is the other side's: end one of them by hand"),
    'settings-left': bad('keeps settings for migrations that savkit has made (capabilities, limits); ask again'),
  };
  return indent(line`QEMU of the ${side}, process ${pid} at ${qmp}: ${words[settlement]}${message && `: ${message}`}`);
}
