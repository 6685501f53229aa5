import { settleEarlier } from '../../guests/settle/settle-earlier.ts';
import type { PlacedRecord } from '../../guests/settle/settle-guest.ts';
import type { Operators } from '../operators.ts';
import type { Play } from '../play.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';

/** Parts of a play that a further migration needs. */
interface Surroundings
  extends Pick<
    Play,
    'hosts' | 'timeline' | 'random' | 'operators' | 'receiver' | 'target' | 'report' | 'refusal' | 'isCalm'
  > {
  /** Settlements of QEMUs so far, in words. */
  readonly settlements: readonly string[];
  /** Runs a program of savkit at the source. @returns its result; undefined if it was killed */
  runAtSource<T>(program: () => Promise<T>): Promise<T | undefined>;
  /** The records at a host. */
  recordsAt(host: 'source'): Promise<PlacedRecord[]>;
}

/** What the user of a killed savkit does. */
interface Plan {
  qmp: string;
  /** The user first asks who has the guest. */
  asks: boolean;
  /** The guest's QEMU lives at the source. */
  isThere: () => boolean;
}

/** Longest wait for a target that was told to end. */
const ENDS_WITHIN_MS = 10_000;
/** Within this time somebody asks about a migration that another one has followed. */
const ASKS_WITHIN_MS = 3000;

/** A further migration of a guest, after the savkit of the first one was killed at the source. */
export class FurtherMigration {
  /** The user is about to begin. */
  isPlanned = false;
  hasBegun = false;
  /** The first migration, as the target's host has its record, once this one has begun. */
  #first: ReturnType<Operators['about']> | undefined;
  readonly #around: Surroundings;
  readonly #begin: () => void;

  constructor(around: Surroundings, begin: () => void) {
    this.#around = around;
    this.#begin = begin;
  }

  /** Has the user migrate once more. */
  plan(ms: number, plan: Plan): void {
    const { report, refusal, timeline } = this.#around;
    if (this.hasBegun || this.isPlanned || report || refusal) return;
    this.isPlanned = true;
    timeline.add(ms, undefined, () => {
      void mayBeginAgain(this.#around, plan).then((may) => {
        if (may && this.isPlanned) this.#beginNow();
        this.isPlanned = false;
      });
    });
  }

  #beginNow(): void {
    this.hasBegun = true;
    const { operators, random, timeline } = this.#around;
    const first = operators.about('source');
    // Somebody finds the record of the first migration, and settles it once more.
    timeline.add(random.below(ASKS_WITHIN_MS), undefined, () => void operators.begin('source', 'none', first));
    this.#first = operators.about('target');
    this.#begin();
  }

  /** Has somebody look after the QEMU that the target of the first migration has left. */
  async askAboutFirst(): Promise<void> {
    if (!this.#first) return;
    let isOver = false;
    void this.#around.operators.begin('target', 'none', this.#first).then(() => {
      isOver = true;
    });
    await this.#around.timeline.run(() => isOver, 60_000);
  }
}

/**
 * Settles both sides after a savkit was killed at the source: as its user asks, or as the next migration does.
 * @returns whether the guest is here, and another migration can begin
 */
async function mayBeginAgain(around: Surroundings, { qmp, asks, isThere }: Plan): Promise<boolean> {
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
