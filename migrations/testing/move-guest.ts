import type { Duplex } from 'node:stream';
import type { Score } from '../../src/testing/virtualbox.ts';
import { type GuestFacts, learnGuestFacts } from '../guests/guest-facts.ts';
import { hindrancesOf } from '../guests/hindrances.ts';
import { QemuHost, type QemuHostOptions } from '../guests/qemu-host.ts';
import { QemuSource } from '../guests/qemu-source.ts';
import type { QemuTarget } from '../guests/qemu-target.ts';
import type { ReachedGuest } from '../guests/reach-guest.ts';
import type { MigrationReport } from '../report/report.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { Pair } from './pair.ts';

/** Way in which a guest of a real QEMU is moved to another one. */
export interface GuestMove {
  command: QemuHostOptions['command'];
  notesWrites?: boolean;
  copiesDisks?: boolean;
  streams?: number;
  /** Makes other links than streams in this process. */
  link?: (pair: Pair) => Promise<Link>;
  /** Called with the QEMU that waits for the guest. */
  onStarted(target: QemuTarget): void;
  /** Called while the guest is paused on both sides. @returns how many pages differ */
  compare(facts: GuestFacts, source: QemuSource, target: QemuTarget): Promise<number>;
}

/** Connections that a source makes, in place of streams. */
export interface Link {
  connect(signal?: AbortSignal): Promise<Duplex>;
  close(): void;
}

/**
 * Moves a guest, and scores that it runs at the target with the memory that it had.
 * @returns undefined where something stands in the way
 */
export async function moveGuest(
  score: Score,
  name: string,
  { qmp, process }: ReachedGuest,
  { command, notesWrites = false, copiesDisks = false, streams, link: linkOf, onStarted, compare }: GuestMove,
): Promise<MigrationReport | undefined> {
  const facts = await learnGuestFacts(qmp, process);
  const fatal = hindrancesOf(facts, { areShared: false, areMirrored: copiesDisks }).filter(({ isFatal }) => isFatal);
  if (!score.check(`${name}: nothing stands in the way`, fatal.length === 0, JSON.stringify(fatal))) return undefined;
  let lost = '';
  const onWatchLost = ({ message }: Error) => {
    lost = message;
  };
  const source = QemuSource.open(qmp, facts, { copiesDisks, notesWrites, onWatchLost });
  let differing = -1;
  const host = new QemuHost({
    command,
    onStarted: (target) => {
      onStarted(target);
      const start = target.start.bind(target);
      target.start = async () => {
        differing = await compare(facts, source, target);
        await start();
      };
    },
  });
  const pair = await Pair.create({ host, timeOuts: TIME_OUTS });
  Object.assign(pair.limits, { maxDowntimeMs: 1000, onTimeLimit: 'force', timeLimitMs: 30_000 });
  const link = await linkOf?.(pair);
  const report = await pair.migrate(source, { timeOuts: TIME_OUTS, streams, ...(link && { connect: link.connect }) });
  source.close();
  link?.close();
  score.check(`${name}: runs at the target`, report.outcome === 'handed-over', report.because);
  score.check(`${name}: memory byte-equal while paused`, differing === 0, `${differing} pages differ`);
  if (notesWrites) score.check(`${name}: the kernel noted all writes`, lost === '', lost);
  printFigures(report);
  return report;
}

function printFigures({ rounds, downtimeMs, totalMs, bytes, downtime }: MigrationReport): void {
  const phases = Object.entries(downtime).map(([phase, ms]) => `${phase} ${ms.toFixed(0)}`);
  const times = `stood still ${downtimeMs.toFixed(0)} ms (${phases.join(' ')}) of ${totalMs.toFixed(0)} ms`;
  console.log(`  ${rounds.length} rounds, ${times}, ${(bytes / 1e6).toFixed(1)} MB`);
}
