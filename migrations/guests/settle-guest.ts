import { SavkitError } from '../../formats/errors.ts';
import { isAlive } from '../../formats/world/place.ts';
import type { Decision, DecisionRecord, GuestRecord } from '../hand-over/decision-record.ts';
import { putBackIfLeft } from '../qmp/migration-settings.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';
import { statusOf } from './guest-facts.ts';
import { endsSoon, type GuestProcess, processesBehind } from './guest-process.ts';
import { emptyMemory } from './memory-in-use.ts';
import { ANNOUNCE } from './qemu-target.ts';
import { isOfLibvirt, reachGuest } from './reach-guest.ts';

/**
 * What was done with a QEMU, or why nothing: it was let run or told to quit; it is as it has to be; it has ended;
 * another one listens at its socket; another migration of its guest is open; it could not be reached; it runs, and must
 * not.
 */
export const SETTLEMENTS = [
  'let-run',
  'quit',
  'as-it-was',
  'ended',
  'another',
  'moves-on',
  'unreachable',
  'runs-twice',
] as const;
export type Settlement = (typeof SETTLEMENTS)[number];

/** Decisions that nothing changes any more. */
const SETTLED: readonly Decision[] = ['done', 'kept', 'started', 'gave-up'];

/** The state of a guest whose devices were saved to go elsewhere; one that has only arrived is never in it. */
const MOVED_ON = 'postmigrate';

/** A QEMU that outlived the process which moved its guest. */
export interface SettledGuest {
  side: DecisionRecord['side'];
  pid: number;
  qmp: string;
  settlement: Settlement;
  /** One line for people: why it could not be reached, or which record tells of the other migration; else empty. */
  message: string;
}

/** A record of any migration of this host, and where it is. */
interface OtherRecord {
  record: DecisionRecord;
  path: string;
}

/**
 * Has the QEMU that a record names do what was decided: the one that has the guest lets it go on as it was, the other
 * one ends. One that its process may still move is left alone, and so is one of another host.
 * @param isSurvivor the guest is this side's
 * @param others records that may be of other migrations of the guest: while one of those is open its record counts, and
 * this one is an old one
 * @returns undefined where nothing is to be done here
 */
export async function settleGuest(
  decided: DecisionRecord,
  isAtHome: boolean,
  isSurvivor: boolean,
  others: readonly OtherRecord[] = [],
): Promise<SettledGuest | undefined> {
  const { guest, side } = decided;
  if (guest === undefined || isAlive(decided, isAtHome) !== false) return undefined;
  const found = { side, pid: guest.pid, qmp: guest.qmp };
  const open = others.find(({ record }) => isOpenBeside(record, decided));
  if (open) return { ...found, settlement: 'moves-on', message: `its record is ${open.path}` };
  try {
    return { ...found, settlement: await settle(decided, guest, isSurvivor), message: '' };
  } catch (error) {
    if (!(error instanceof SavkitError)) throw error;
    return { ...found, settlement: 'unreachable', message: error.message };
  }
}

async function settle(decided: DecisionRecord, guest: GuestRecord, isSurvivor: boolean): Promise<Settlement> {
  const isPath = !isOfLibvirt(guest.qmp);
  const here = isPath ? processesBehind(guest.qmp) : [];
  if (isPath && here.length === 0 && guest.pid !== 0 && (await endsSoon(guest.pid))) return 'ended';
  if (isAnother(here, guest)) return 'another';
  const reached = await reachGuest(guest.qmp);
  try {
    if (isAnother(reached.process ? [reached.process] : [], guest)) return 'another';
    const status = await statusOf(reached.qmp);
    if (!isSurvivor) return await end(reached.qmp, status, decided, guest);
    const settlement = await letRun(reached.qmp, status, decided);
    if (guest.settings) await putBackIfLeft(reached.qmp, guest.settings);
    return settlement;
  } finally {
    reached.close();
  }
}

/** Whether another migration of the same guest was handed over and is not settled, or a process is at it. */
function isOpenBeside(other: DecisionRecord, { migration, place, guest }: DecisionRecord): boolean {
  const isOfSame = other.guest?.pid === guest?.pid && other.guest?.qmp === guest?.qmp && other.place === place;
  if (!isOfSame || other.migration === migration) return false;
  return other.decision === 'handed-over' || (!SETTLED.includes(other.decision) && isAlive(other, true) === true);
}

function isAnother(found: readonly GuestProcess[], { pid }: GuestRecord): boolean {
  return found.length > 0 && pid !== 0 && found.every((each) => each.pid !== pid);
}

/**
 * A guest that was not stopped yet, or was paused before, is as it has to be. So is one that has come here and stands
 * still because it went on to another host since then, or is about to: it may run there.
 */
async function letRun(qmp: QmpClient, status: string, { wasPaused, side }: DecisionRecord): Promise<Settlement> {
  const hasMovedOn = side === 'target' && status === MOVED_ON;
  if (status === 'running' || wasPaused !== false || hasMovedOn) return 'as-it-was';
  await qmp.execute('migrate_cancel').catch(() => {});
  await qmp.execute('cont');
  if (side === 'target') await qmp.execute('announce-self', ANNOUNCE).catch(() => {});
  return 'let-run';
}

async function end(
  qmp: QmpClient,
  status: string,
  { side }: DecisionRecord,
  { ram }: GuestRecord,
): Promise<Settlement> {
  // Somebody has let it run past all records: its memory goes on, and is not ours to end.
  if (status === 'running') return 'runs-twice';
  await qmp.execute('quit').catch(() => {});
  await qmp.closed;
  // What a guest that did not arrive has left there is nobody's.
  if (side === 'target') emptyMemory(ram);
  return 'quit';
}
