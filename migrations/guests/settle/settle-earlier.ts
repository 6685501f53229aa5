import { SavkitError } from '../../../formats/errors.ts';
import { isAlive, thisProcess } from '../../../formats/world/place.ts';
import type { Decision, DecisionRecord } from '../../hand-over/decision-record.ts';
import { resolveRecordFiles } from '../../hand-over/resolve-files.ts';
import { commandLineOf, processesBehind } from '../guest-process.ts';
import type { Hindrance } from '../hindrances.ts';
import { isOfLibvirt } from '../reach-guest.ts';
import { isFinal, type PlacedRecord, type Settlement, settleGuest } from './settle-guest.ts';

/** Settlements after which nothing of an earlier migration is in the way. */
const OUT_OF_THE_WAY: readonly Settlement[] = ['let-run', 'as-it-was', 'ended', 'another'];

/** Decisions after which the guest goes on in its QEMU here; somebody may still have to see to that. */
const STAYS_HERE: readonly Decision[] = ['kept', 'started'];

/** Reads the records of this host. */
type Records = () => Promise<readonly PlacedRecord[]>;

/**
 * Settles earlier migrations of a guest whose savkit was killed, as `migrate --resolve` does, so that another one can
 * begin: the guest goes on with QEMU's own settings, which another migration would take for savkit's.
 * @param isDryRun only looks
 * @returns the migrations that cannot be settled here
 */
export async function settleEarlier(address: string, records: Records, isDryRun = false): Promise<Hindrance[]> {
  const here = isOfLibvirt(address) ? undefined : processesBehind(address).map(({ pid }) => pid);
  const ofGuest = (await records()).filter(({ record }) => isOf(record, address, here));
  const open = ofGuest.filter(({ record }) => !isFinal(record.decision));
  const hindrances: Hindrance[] = [];
  for (const earlier of open) {
    const why = await settleOne(earlier, records, isDryRun);
    if (why !== undefined) hindrances.push(why);
  }
  const last = ofGuest.sort((a, b) => a.record.at - b.record.at).at(-1);
  const isUndone = last && open.length === 0 && STAYS_HERE.includes(last.record.decision) && !isDryRun;
  const why = isUndone ? await carryOut(last, last.record, { records, isOnlyIfLeft: true }) : undefined;
  return why ? [why] : hindrances;
}

/** Whether a record is of a migration of this guest. @param here processes of its QEMU */
function isOf({ place, guest }: DecisionRecord, address: string, here: number[] | undefined): boolean {
  if (!guest || place !== thisProcess().place) return false;
  if (guest.pid === 0 || here === undefined)
    return guest.qmp === address && (guest.pid === 0 || commandLineOf(guest.pid).length > 0);
  // A guest may have several sockets.
  return here.includes(guest.pid);
}

async function settleOne(
  { record, path }: PlacedRecord,
  records: Records,
  isDryRun: boolean,
): Promise<Hindrance | undefined> {
  if (isAlive(record, true) !== false) return hindrance(true, `is under way, by process ${record.pid}`);
  if (record.side === 'target') return refuse(path, 'was broken off while the guest came here');
  if (isDryRun && record.decision === 'migrating')
    return hindrance(false, 'was broken off: savkit migrate settles it first');
  if (isDryRun) return refuse(path, 'has handed it over, and is not settled');
  try {
    const { own, resolution } = await resolveRecordFiles({ path, peerEnded: false });
    const { survivor, because, notYet } = resolution;
    if (survivor !== 'source' || notYet !== undefined) return refuse(path, `is not settled, as ${notYet ?? because}`);
    return await carryOut({ path }, own, { records });
  } catch (error) {
    if (error instanceof SavkitError) return refuse(path, `cannot be settled: ${error.message}`);
    throw error;
  }
}

/** Has the guest go on here. */
async function carryOut(
  { path }: { path: string },
  record: DecisionRecord,
  { records, isOnlyIfLeft = false }: { records: Records; isOnlyIfLeft?: boolean },
): Promise<Hindrance | undefined> {
  const settled = await settleGuest(record, true, { isSurvivor: true, others: records, isOnlyIfLeft });
  if (!settled || OUT_OF_THE_WAY.includes(settled.settlement)) return undefined;
  return refuse(path, `is not settled: ${settled.message}`);
}

function refuse(path: string, why: string): Hindrance {
  return hindrance(true, `${why}: savkit migrate --resolve ${path} settles it`);
}

function hindrance(isFatal: boolean, text: string): Hindrance {
  return { code: 'unsettled', isFatal, message: `an earlier migration of it ${text}` };
}
