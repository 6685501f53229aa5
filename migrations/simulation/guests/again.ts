import { settleEarlier } from '../../guests/settle/settle-earlier.ts';
import type { PlacedRecord } from '../../guests/settle/settle-guest.ts';
import type { Play } from '../play.ts';
import type { SimulatedProcess } from '../simulated-process.ts';

/** Parts of a play that a further migration needs. */
interface Surroundings extends Pick<Play, 'hosts' | 'timeline' | 'operators' | 'receiver' | 'target'> {
  readonly isCalm: boolean;
  /** Settlements of QEMUs so far, in words. */
  readonly settlements: readonly string[];
  /** Runs a program of savkit at the source. @returns its result; undefined if it was killed */
  runAtSource<T>(program: () => Promise<T>): Promise<T | undefined>;
  /** The records at a host. */
  recordsAt(host: 'source'): Promise<PlacedRecord[]>;
}

/** Longest wait for a target that was told to end. */
const ENDS_WITHIN_MS = 10_000;

/**
 * Settles both sides after a savkit was killed at the source: as its user asks, or as the next migration does.
 * @param isThere the guest's QEMU lives at the source
 * @returns whether the guest is here, and another migration can begin
 */
export async function mayBeginAgain(
  around: Surroundings,
  { qmp, asks, isThere }: { qmp: string; asks: boolean; isThere: () => boolean },
): Promise<boolean> {
  const { hosts } = around;
  const isSettled = asks && (await isSettledByOperators(around));
  const { target } = around;
  if (target && !target.isGone) await untilEnded(around, target);
  const areUp = hosts.source.isUp && hosts.target.isUp && (!target || target.isGone);
  if (!areUp || !isThere() || around.isCalm) return false;
  return (!asks || isSettled) && (await isSettledBefore(around, qmp));
}

/** Has the user ask both sides who has the guest. */
async function isSettledByOperators({ operators, settlements }: Surroundings): Promise<boolean> {
  const before = settlements.length;
  for (const side of ['source', 'target', 'source'] as const) await operators.begin(side, 'fresh');
  // A user who is told that QEMU could not be reached, or refuses, asks again later.
  const isOpen = settlements.slice(before).some((each) => /unreachable|settings-left/.test(each));
  return operators.told.every((name) => name === 'source') && !isOpen;
}

/** Has the next `savkit migrate` settle the migration before. */
async function isSettledBefore(around: Surroundings, qmp: string): Promise<boolean> {
  const found = await around.runAtSource(async () => settleEarlier(qmp, () => around.recordsAt('source')));
  return found?.length === 0 && !around.isCalm;
}

/** Tells a target that waits for a machine to end. */
function untilEnded({ timeline, receiver }: Surroundings, target: SimulatedProcess): Promise<void> {
  timeline.add(0, target, () => void receiver?.close());
  return new Promise((resolve) => {
    target.atEnd(resolve);
    timeline.add(ENDS_WITHIN_MS, undefined, resolve);
  });
}
