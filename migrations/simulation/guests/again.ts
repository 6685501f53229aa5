import type { Play } from '../play.ts';
import type { SimulatedProcess } from '../simulated-process.ts';

/** What a user needs to migrate once more. */
interface Surroundings extends Pick<Play, 'hosts' | 'timeline' | 'operators' | 'receiver' | 'target'> {
  readonly isCalm: boolean;
  /** How QEMUs were settled so far, in words. */
  readonly settlements: readonly string[];
}

/** Longest wait for a target that was told to end. */
const ENDS_WITHIN_MS = 10_000;

/**
 * The user of a savkit that was killed at the source learns who has the guest, and has both sides settled.
 * @param isThere the guest's QEMU lives at the source
 * @returns whether the guest is here, and another migration can begin
 */
export async function mayBeginAgain(around: Surroundings, isThere: () => boolean): Promise<boolean> {
  const { hosts, operators, settlements } = around;
  const before = settlements.length;
  for (const side of ['source', 'target', 'source'] as const) await operators.begin(side, 'fresh');
  const { target } = around;
  if (target && !target.isGone) await untilEnded(around, target);
  const isHere = operators.told.every((name) => name === 'source');
  const areUp = hosts.source.isUp && hosts.target.isUp && (!target || target.isGone);
  // Who is told that QEMU could not be reached asks again later.
  const isSettled = !settlements.slice(before).some((each) => each.includes('unreachable'));
  return isHere && isSettled && areUp && isThere() && !around.isCalm;
}

/** Tells a target that waits for a machine to end. */
function untilEnded({ timeline, receiver }: Surroundings, target: SimulatedProcess): Promise<void> {
  timeline.add(0, target, () => void receiver?.close());
  return new Promise((resolve) => {
    target.atEnd(resolve);
    timeline.add(ENDS_WITHIN_MS, undefined, resolve);
  });
}
