import { SavkitError } from '../../../formats/errors.ts';
import { isAlive, thisProcess } from '../../../formats/world/place.ts';
import type { DecisionRecord } from '../../hand-over/decision-record.ts';
import { resolveRecordFiles } from '../../hand-over/resolve-files.ts';
import { commandLineOf, processesBehind } from '../guest-process.ts';
import type { Hindrance } from '../hindrances.ts';
import { isOfLibvirt } from '../reach-guest.ts';
import { isFinal, type PlacedRecord, type Settlement, settleGuest } from './settle-guest.ts';

/** Settlements after which nothing of an earlier migration is in the way. */
const OUT_OF_THE_WAY: readonly Settlement[] = ['let-run', 'as-it-was', 'ended', 'another'];

/**
 * Settles earlier migrations of a guest whose savkit was killed, as `migrate --resolve` does, so that another one can
 * begin: the guest goes on with QEMU's own settings, which another migration would take for savkit's.
 * @param records of this host
 * @param isDryRun only looks
 * @returns the migrations that cannot be settled here
 */
export async function settleEarlier(
  address: string,
  records: readonly PlacedRecord[],
  isDryRun = false,
): Promise<Hindrance[]> {
  const here = isOfLibvirt(address) ? undefined : processesBehind(address).map(({ pid }) => pid);
  const hindrances: Hindrance[] = [];
  for (const earlier of records) {
    if (!isOpenFor(earlier.record, address, here)) continue;
    const why = await settleOne(earlier, records, isDryRun);
    if (why !== undefined) hindrances.push(why);
  }
  return hindrances;
}

/** Whether a record is of a migration of this guest that has not come to an end. @param here processes of its QEMU */
function isOpenFor({ decision, place, guest }: DecisionRecord, address: string, here: number[] | undefined): boolean {
  if (!guest || isFinal(decision) || place !== thisProcess().place) return false;
  if (guest.pid === 0 || here === undefined)
    return guest.qmp === address && (guest.pid === 0 || commandLineOf(guest.pid).length > 0);
  // A guest may have several sockets.
  return here.includes(guest.pid);
}

async function settleOne(
  { record, path }: PlacedRecord,
  records: readonly PlacedRecord[],
  isDryRun: boolean,
): Promise<Hindrance | undefined> {
  const refuse = (why: string) => hindrance(true, `${why}: savkit migrate --resolve ${path} settles it`);
  if (isAlive(record, true) !== false) return hindrance(true, `is under way, by process ${record.pid}`);
  if (record.side === 'target') return refuse('was broken off while the guest came here');
  if (isDryRun && record.decision === 'migrating')
    return hindrance(false, 'was broken off: savkit migrate settles it first');
  try {
    if (isDryRun) return refuse('has handed it over, and is not settled');
    const { own, resolution } = await resolveRecordFiles({ path, peerEnded: false });
    const { survivor, because, notYet } = resolution;
    if (survivor !== 'source' || notYet !== undefined) return refuse(`is not settled, as ${notYet ?? because}`);
    const { settlement, message } = (await settleGuest(own, true, true, records)) ?? { settlement: 'as-it-was' };
    return OUT_OF_THE_WAY.includes(settlement) ? undefined : refuse(`is not settled: ${message}`);
  } catch (error) {
    if (error instanceof SavkitError) return refuse(`cannot be settled: ${error.message}`);
    throw error;
  }
}

function hindrance(isFatal: boolean, text: string): Hindrance {
  return { code: 'unsettled', isFatal, message: `an earlier migration of it ${text}` };
}
