import { SavkitError } from '../../../formats/errors.ts';
import { isAlive } from '../../../formats/world/place.ts';
import { clock, sleep } from '../../../formats/world/waiting.ts';
import type { Decision, DecisionRecord, GuestRecord } from '../../hand-over/decision-record.ts';
import { hasOurSettings, putBackIfLeft } from '../../qmp/migration-settings.ts';
import type { QmpClient } from '../../qmp/qmp-client.ts';
import { statusOf } from '../guest-facts.ts';
import { endsSoon, type GuestProcess, processesBehind } from '../guest-process.ts';
import { emptyMemory } from '../memory-in-use.ts';
import { ANNOUNCE } from '../qemu-target.ts';
import { isOfLibvirt, reachGuest } from '../reach-guest.ts';

/**
 * Treatment of a QEMU, in the order of the names: it was let run; was told to quit; was left, as it is in the right
 * state; has ended; another QEMU listens at its socket; another migration of its guest is open; it could not be
 * reached; it runs, but must not; it is in the right state, but refuses its own settings for migrations.
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
  'settings-left',
] as const;
export type Settlement = (typeof SETTLEMENTS)[number];

const FINAL: readonly Decision[] = ['done', 'kept', 'started', 'gave-up'];

/** Whether a decision is the last one of its side. */
export function isFinal(decision: Decision): boolean {
  return FINAL.includes(decision);
}

/** QEMU's state after the devices of a leaving guest were saved; a guest that has only arrived is never in it. */
const MOVED_ON = 'postmigrate';

/** QEMU's state while it saves the devices of a leaving guest. */
const SAVES = 'finish-migrate';
/** Longest time that a QEMU is given to end a save. */
const CANCELLED_WITHIN_MS = 1000;
const LOOK_MS = 10;

/** A QEMU that outlived the process that moved its guest. */
export interface SettledGuest {
  side: DecisionRecord['side'];
  pid: number;
  qmp: string;
  settlement: Settlement;
  /** One line for people: why QEMU is out of reach, or refuses; the record of the other migration; else empty. */
  message: string;
}

/** Options of settling a guest. */
export interface SettleOptions {
  /** The guest belongs to the record's side. */
  isSurvivor: boolean;
  /**
   * Reads the records of this host, some perhaps of other migrations of the guest: while such a migration is open, its
   * record counts instead of this one.
   */
  others: () => Promise<readonly PlacedRecord[]>;
  /** Nothing is done to a QEMU that has no settings of savkit any more. */
  isOnlyIfLeft?: boolean;
}

/** A record of a migration of this host, with its path. */
export interface PlacedRecord {
  record: DecisionRecord;
  path: string;
}

/**
 * Carries a decision out on the QEMU that the record names: if this QEMU has the guest, the guest goes on as it was;
 * else QEMU is ended. A QEMU is left alone if its migrating process may live, or if it is on another host.
 * @param isAtHome the record is where it was written, not a copy from another host
 * @param options see `SettleOptions`
 * @returns undefined if there is nothing to do here
 */
export async function settleGuest(
  decided: DecisionRecord,
  isAtHome: boolean,
  { isSurvivor, others, isOnlyIfLeft = false }: SettleOptions,
): Promise<SettledGuest | undefined> {
  const { guest, side } = decided;
  if (guest === undefined || isAlive(decided, isAtHome) !== false) return undefined;
  const found = { side, pid: guest.pid, qmp: guest.qmp };
  const isOpen = async (): Promise<Settled | undefined> => {
    const open = (await others()).find(({ record }) => isOpenBeside(record, decided));
    return open && { settlement: 'moves-on', message: `its record is ${open.path}` };
  };
  try {
    const settled =
      (await isOpen()) ??
      (await isGone(guest)) ??
      (await reached(guest, async (qmp) => {
        // Another migration may have had the connection until now.
        const open = await isOpen();
        if (open || (isOnlyIfLeft && !(await hasOurSettings(qmp)))) return open ?? { settlement: 'as-it-was' };
        return settle(qmp, decided, guest, isSurvivor);
      }));
    return { ...found, message: '', ...settled };
  } catch (error) {
    if (!(error instanceof SavkitError)) throw error;
    return { ...found, settlement: 'unreachable', message: error.message };
  }
}

type Settled = Pick<SettledGuest, 'settlement'> & Partial<Pick<SettledGuest, 'message'>>;

async function isGone(guest: GuestRecord): Promise<Settled | undefined> {
  const isPath = !isOfLibvirt(guest.qmp);
  const here = isPath ? processesBehind(guest.qmp) : [];
  if (isPath && here.length === 0 && guest.pid !== 0 && (await endsSoon(guest.pid))) return { settlement: 'ended' };
  return isAnother(here, guest) ? { settlement: 'another' } : undefined;
}

/** Does something over a connection to the guest's QEMU. */
async function reached(guest: GuestRecord, work: (qmp: QmpClient) => Promise<Settled>): Promise<Settled> {
  const { qmp, process, close } = await reachGuest(guest.qmp);
  try {
    return isAnother(process ? [process] : [], guest) ? { settlement: 'another' } : await work(qmp);
  } finally {
    close();
  }
}

async function settle(
  qmp: QmpClient,
  decided: DecisionRecord,
  guest: GuestRecord,
  isSurvivor: boolean,
): Promise<Settled> {
  const status = await statusOf(qmp);
  if (!isSurvivor) return { settlement: await end(qmp, status, decided, guest) };
  const settlement = await letRun(qmp, status, decided);
  const refusal = guest.settings && (await putBackIfLeft(qmp, guest.settings));
  return refusal ? { settlement: 'settings-left', message: refusal.message } : { settlement };
}

/** Whether a record is of another migration of the same guest that is under way, or has handed it over since. */
function isOpenBeside(other: DecisionRecord, { migration, place, guest, at }: DecisionRecord): boolean {
  const isOfSame = other.guest?.pid === guest?.pid && other.guest?.qmp === guest?.qmp && other.place === place;
  if (!isOfSame || other.migration === migration) return false;
  if (other.decision === 'done') return other.at >= at;
  return other.decision === 'handed-over' || (!isFinal(other.decision) && isAlive(other, true) === true);
}

function isAnother(found: readonly GuestProcess[], { pid }: GuestRecord): boolean {
  return found.length > 0 && pid !== 0 && found.every((each) => each.pid !== pid);
}

/**
 * Ends a save that is under way, and lets the guest run, unless it runs already or was paused before. A guest that has
 * moved on from here, or is about to, may run at another host, so it is left as it is.
 */
async function letRun(qmp: QmpClient, status: string, { wasPaused, side }: DecisionRecord): Promise<Settlement> {
  const hasMovedOn = side === 'target' && status === MOVED_ON;
  if (status === 'running' || hasMovedOn) return 'as-it-was';
  if (wasPaused === false || status === SAVES) await endSave(qmp);
  if (wasPaused !== false) return 'as-it-was';
  await qmp.execute('cont');
  if (side === 'target') await qmp.execute('announce-self', ANNOUNCE).catch(() => {});
  return 'let-run';
}

/** Ends a save that is under way: until then QEMU takes neither `cont` nor settings, not even from the guest's user. */
async function endSave(qmp: QmpClient): Promise<void> {
  await qmp.execute('migrate_cancel').catch(() => {});
  const end = clock() + CANCELLED_WITHIN_MS;
  while ((await statusOf(qmp)) === SAVES && clock() < end) await sleep(LOOK_MS);
}

async function end(
  qmp: QmpClient,
  status: string,
  { side }: DecisionRecord,
  { ram }: GuestRecord,
): Promise<Settlement> {
  // Somebody has let the guest run against the records: it goes on, and savkit must not end it.
  if (status === 'running') return 'runs-twice';
  await qmp.execute('quit').catch(() => {});
  await qmp.closed;
  // Memory of a guest that did not arrive belongs to nobody.
  if (side === 'target') emptyMemory(ram);
  return 'quit';
}
