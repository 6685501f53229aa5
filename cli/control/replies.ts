import {
  clockTime,
  count,
  flag,
  kind,
  list,
  mapOf,
  oneOf,
  optional,
  orNull,
  record,
  type Shape,
  type ShapeValue,
  text,
} from '../../formats/values/shape.ts';
import type { MigrationForecast } from '../../migrations/policy/forecast.ts';
import { EVENT_SHAPES, figure, progressShape, reportShape, words } from '../../migrations/report/report-shapes.ts';
import type { TeleportReport } from '../../migrations/teleporter/teleport-running.ts';
import type { LiveSaveReport, PassReport } from '../../src/live-save/live-save.ts';
import type { GuestCheck } from '../../src/running/guest.ts';
import type { DescribedStatistic } from '../text/statistics-text.ts';
import type { ControlCommand } from './requests.ts';

// Any program may answer at a socket, so only fields of these shapes are taken from a reply.

const LIST_LIMIT = 1_000_000;

const status = record({
  name: words,
  state: words,
  ramSize: figure,
  workload: record({ kind: words, seed: figure, rate: figure, pages: figure, patternSize: figure }),
  steps: figure,
  ticks: figure,
  faults: figure,
  throttle: figure,
  figures: record({ runMs: figure, steps: figure, ticks: figure, longestGapMs: figure, lastPauseMs: figure }),
  pages: mapOf(figure),
  // Machines of an older savkit do not tell the fields from here on.
  runtimeError: optional(orNull(words)),
  migration: optional(
    orNull(
      record({
        to: words,
        phase: oneOf('connects', 'sends', 'stands still', 'handed over', 'link lost'),
        since: clockTime,
        progress: orNull(progressShape),
      }),
    ),
  ),
  cpus: optional(list(record({ guestMode: orNull(words), shadowMode: orNull(words) }), 4096)),
  host: optional(
    record({
      paging: orNull(words),
      allocatedPages: figure,
      duplicatePages: figure,
      largePages: mapOf(figure),
      sharing: orNull(mapOf(figure)),
    }),
  ),
});
/** Status of a machine, as its process reports it. */
export type MachineStatus = ShapeValue<typeof status>;

const pass: Shape<PassReport> = record({
  pass: (value) => (value === 'final' ? value : count(value)),
  pages: figure,
  written: figure,
  dirtyPages: figure,
  ms: figure,
});
const passes = list(pass, LIST_LIMIT);

const statistic: Shape<DescribedStatistic> = record({
  path: words,
  kind: oneOf('u8', 'u32', 'u64', 'counter', 'profile'),
  unit: oneOf('count', 'occurrences', 'bytes', 'ticks-per-call'),
  description: words,
  value: (value) =>
    typeof value === 'object' && value !== null
      ? record({ periods: figure, ticks: figure, min: figure, max: figure })(value)
      : figure(value),
});

const fault = record({ what: words, place: figure, gcPhys: optional(figure), expected: words, found: words });
const check: Shape<GuestCheck> = record({ steps: figure, ticks: figure, pages: figure, faults: list(fault, 4096) });

const liveSave: Shape<LiveSaveReport & { path: string }> = record({
  path: words,
  passes,
  written: figure,
  totalMs: figure,
  downtimeMs: figure,
  wasSuspended: flag,
});

const forecast: Shape<MigrationForecast & { dirtyRate: number }> = record({
  converges: flag,
  because: words,
  rounds: figure,
  totalMs: figure,
  bytes: figure,
  downtimeMs: figure,
  dirtyRate: figure,
});

const teleport: Shape<TeleportReport> = record({ passes, downtimeMs: figure, paused: flag });

/** A document of the console, with rows as in the console's schema. */
const said = record({
  command: words,
  text: text(Number.MAX_SAFE_INTEGER),
  rows: orNull(kind((value): value is unknown[] => Array.isArray(value), 'a list')),
});

const RESULTS = {
  status,
  pause: status,
  resume: status,
  stop: status,
  reset: status,
  throttle: status,
  console: said,
  stats: record({ statistics: list(statistic, LIST_LIMIT) }),
  check,
  save: record({ path: words, downtimeMs: figure }),
  'live-save': liveSave,
  migrate: reportShape,
  limits: record({
    maxDowntimeMs: orNull(figure),
    stalledDowntimeMs: orNull(figure),
    bandwidth: orNull(figure),
    timeLimitMs: orNull(figure),
    onTimeLimit: oneOf('cancel', 'force', 'throttle'),
  }),
  foretell: forecast,
  teleport,
} satisfies Record<ControlCommand, Shape<object>>;

const percent = record({ percent: figure });
const EVENTS = {
  save: { progress: percent },
  'live-save': { progress: percent, pass },
  migrate: EVENT_SHAPES,
  teleport: { progress: record({ bytes: figure }), pass, step: record({ step: words }) },
} satisfies Partial<Record<ControlCommand, Record<string, Shape<object>>>>;

/** Result of a command of a control socket. */
export type ResultOf<C extends ControlCommand> = ShapeValue<(typeof RESULTS)[C]>;
type Events<C> = C extends keyof typeof EVENTS ? (typeof EVENTS)[C] : Record<never, never>;
/** Events during a command. */
export type EventOf<C extends ControlCommand> = {
  [E in keyof Events<C> & string]: { event: E } & ShapeValue<Events<C>[E]>;
}[keyof Events<C> & string];

export function resultShape<C extends ControlCommand>(command: C): Shape<ResultOf<C>> {
  return RESULTS[command] as Shape<ResultOf<C>>;
}

/** The shape of an event; undefined for an event that this savkit does not know, such as one of a later version. */
export function eventShape<C extends ControlCommand>(command: C, event: string): Shape<EventOf<C>> | undefined {
  const events: Partial<Record<ControlCommand, Record<string, Shape<object>>>> = EVENTS;
  const known = events[command];
  if (!known || !Object.hasOwn(known, event)) return undefined;
  return (value) => ({ event, ...known[event](value) }) as EventOf<C>;
}
