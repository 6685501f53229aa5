import type { SavkitError } from '../../formats/errors.ts';
import { type MigrationStatus, remainingBytes } from '../control/migration-status.ts';
import { type Look, lookRound } from '../drain/find-machines.ts';
import { listRecords } from '../migration/list-records.ts';

/** A row of `top`: a machine, or a migration in the records. Unknown numbers are null. */
export interface TopRow {
  /** Path of the machine's socket, or of the migration's record. */
  at: string;
  name: string;
  /** Size of the memory. */
  bytes: number | null;
  state: string;
  /** HOST:PORT of the source; null unless the machine is arriving. */
  from: string | null;
  to: string | null;
  phase: string | null;
  round: number | null;
  /** From 0 to 1. */
  progress: number | null;
  /** Bytes per second. */
  rate: number | null;
  dirtyRate: number | null;
  remainingBytes: number | null;
  /** Downtime in ms if the machine were stopped now. */
  downtimeMs: number | null;
}

const NO_FIGURES = {
  ...{ round: null, progress: null, rate: null },
  ...{ dirtyRate: null, remainingBytes: null, downtimeMs: null },
};

/** Looks once at machines, and at open migrations in a folder of records. */
export async function lookOnce(
  words: readonly string[],
  records: string,
  signal: AbortSignal,
  onBad: (what: string, error: SavkitError) => void,
): Promise<TopRow[]> {
  const looks = await lookRound(words, signal, (machine, error, isNamed) => {
    if (isNamed) onBad(machine, error);
  });
  const machines = looks.map(rowOfMachine);
  const isShown = new Set(machines.filter(({ to }) => to !== null).map(({ name }) => name));
  const open = await listRecords(records, onBad);
  return [
    ...machines,
    ...open
      .filter(({ outcome }) => outcome === 'open' || outcome === 'unsettled')
      .flatMap(({ machine, sides }) =>
        sides
          .filter(({ side }) => side === 'target' || !isShown.has(machine))
          .map((side) => rowOfRecord(machine, side)),
      ),
  ];
}

function rowOfMachine({ found: { machine, name, bytes }, state, status }: Look): TopRow {
  const head = { at: machine, name, bytes, state, from: null };
  const migration = status?.migration;
  return migration ? { ...head, ...figuresOf(migration) } : { ...head, to: null, phase: null, ...NO_FIGURES };
}

function figuresOf({ to, phase, progress }: MigrationStatus) {
  if (!progress) return { to, phase, ...NO_FIGURES };
  const { round, total, rate, dirtyRate, downtimeMs } = progress;
  return { to, phase, round, progress: total, rate, dirtyRate, remainingBytes: remainingBytes(progress), downtimeMs };
}

/** A row for a migration without a control socket: of a guest of QEMU, or of an arriving machine. */
function rowOfRecord(
  name: string,
  { side, decision, peer, record }: Awaited<ReturnType<typeof listRecords>>[number]['sides'][number],
): TopRow {
  const [from, to] = side === 'source' ? [null, peer] : [peer, null];
  return { at: record, name, bytes: null, state: 'on record', from, to, phase: decision, ...NO_FIGURES };
}
