import {
  flag,
  list,
  mapOf,
  number,
  oneOf,
  optional,
  orNull,
  record,
  type Shape,
  text,
} from '../../formats/values/shape.ts';
import { PROOF_MODES } from '../policy/choose-proof.ts';
import { VERDICTS } from '../policy/decide-round.ts';
import type { LookBack, MigrationEvent, MigrationReport, ProgressFigures, ProofReport, RoundReport } from './report.ts';

// Shapes of JSON reports and events from another process that carries out a migration.

/** A number; JSON has null for infinity and NaN. */
export const figure: Shape<number> = (value) => orNull(number)(value) ?? Number.NaN;
/** A name, or a line for people. */
export const words = text(65_536);

const ROUNDS_LIMIT = 100_000;
const NAMES_LIMIT = 4096;

const roundShape: Shape<RoundReport> = record({
  round: figure,
  pages: figure,
  skipped: figure,
  bytes: figure,
  ms: figure,
  codecs: mapOf(figure),
  dirtied: figure,
  rate: figure,
  dirtyRate: figure,
  downtimeMs: figure,
  guestShare: figure,
  paused: flag,
  verdict: oneOf(...VERDICTS, 'resend', 'seal'),
  because: words,
});

const lookBackShape: Shape<LookBack> = record({
  ms: figure,
  lost: list(words, NAMES_LIMIT),
  lostPages: figure,
  keptIn: words,
});

const proofShape: Shape<ProofReport> = record({
  mode: oneOf(...PROOF_MODES),
  root: words,
  pages: figure,
  ms: figure,
  lost: list(words, NAMES_LIMIT),
  lostPages: figure,
  afterwards: orNull(lookBackShape),
});

export const reportShape: Shape<MigrationReport> = record({
  migration: words,
  machine: words,
  outcome: oneOf('handed-over', 'kept', 'undecided'),
  because: words,
  stays: orNull(oneOf('as-it-was', 'standing-still', 'ended')),
  code: orNull(words),
  pages: figure,
  bytes: figure,
  totalMs: figure,
  downtimeMs: figure,
  stops: figure,
  downtime: record({
    stop: figure,
    pages: figure,
    hash: figure,
    rest: figure,
    ready: figure,
    decision: figure,
    start: figure,
  }),
  paused: flag,
  inFile: flag,
  attempts: figure,
  streams: figure,
  rounds: list(roundShape, ROUNDS_LIMIT),
  proof: optional(proofShape),
});

const range: Shape<[number, number]> = (value) => {
  const [least = Number.NaN, most = Number.NaN] = list(figure, 2)(value);
  return [least, most];
};

/** Progress of a migration. */
export const progressShape: Shape<ProgressFigures> = record({
  round: figure,
  ofRound: figure,
  total: figure,
  bytes: figure,
  rate: figure,
  dirtyRate: figure,
  downtimeMs: figure,
  leftMs: range,
});

/** Data of each event, by its name. */
export const EVENT_SHAPES = {
  connected: record({ attempt: figure, peer: words }),
  progress: record({
    progress: progressShape,
  }),
  disks: record({ bytes: figure, of: figure }),
  round: record({ report: roundShape }),
  'link-lost': record({ message: words, retryInMs: figure }),
  paused: record({}),
  resumed: record({ because: words }),
  'lost-pages': record({ count: figure, first: words }),
  proved: record({ proof: proofShape }),
  'handed-over': record({}),
  running: record({ downtimeMs: figure }),
  arrived: record({ downtimeMs: figure }),
  'looked-back': record({ found: lookBackShape }),
} satisfies { [E in MigrationEvent['event']]: Shape<Omit<Extract<MigrationEvent, { event: E }>, 'event'>> };
