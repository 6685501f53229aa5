import { createHash } from 'node:crypto';
import { UsageError } from '../../../formats/errors.ts';
import { openScratchFile } from '../../../formats/files/scratch-file.ts';
import type { ReadableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { WrittenFile } from '../../../formats/files/written-file.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { unitLabel } from '../../../formats/ssm/container.ts';
import { check } from '../check/check.ts';
import { type ReleaseNumbers, releaseName } from '../check/unit-versions.ts';
import { fingerprint, sameIds } from '../hashing/fingerprint.ts';
import type { RangeNaming } from '../reading/state-view.ts';
import { walkState } from '../reading/walk.ts';
import { type Change, type ChangeClass, CLASSES_TO_ACCEPT } from './change.ts';
import { type AdaptPlan, type AdaptTarget, planAdaptation } from './plan.ts';
import { withoutPages, writeAdapted } from './write-adapted.ts';

export interface AdaptOptions {
  /** Accepted classes of change, of those that need consent. */
  accept?: readonly (typeof CLASSES_TO_ACCEPT)[number][];
  /** The VirtualBox that is to load the result, where it is an older one. */
  release?: ReleaseNumbers | undefined;
  signal?: AbortSignal;
  /** Called with the step under way, and the offset reached in the file that is read. */
  onProgress?: (doing: 'reading' | 'writing' | 'proving', offset: number) => void;
}

/** Forecast: would the machine load the adapted state? */
export interface Foretold {
  /** VirtualBox's code, the unit and the reason; absent where nothing keeps the state from loading. */
  refusal?: string | undefined;
  /** Facts that could not be compared with the machine. */
  notJudged: readonly string[];
  /** Facts that only the host that loads the result can tell. */
  assumed: readonly string[];
}

/** Result of reading back an adapted state. */
export interface AdaptProof extends Foretold {
  /** Only changes of the plan differ, and nothing keeps the state from loading in the machine. */
  holds: boolean;
  /** Units that are as they were, byte for byte. */
  unitsAsBefore: number;
  /** Units that were changed, dropped, or taken from the donor. */
  unitsChanged: number;
  /** Ranges of memory that were compared page by page. */
  ranges: number;
  differences: string[];
}

export interface AdaptReport {
  /** All changes, in the order in which they were found. */
  changes: readonly Change[];
  /** Classes that were not accepted; nothing is written while there are any. */
  toAccept: readonly ChangeClass[];
  /** Warning that the release was not tried; absent without `release`. */
  experimental?: string;
  /** Present if the state was written. */
  proof?: AdaptProof;
  /** Present if nothing was written. */
  foretold?: Foretold;
}

/** The changes that an adaptation would make, and whether the machine would load the result. @throws as `adapt` does */
export async function planReport(
  source: ByteSource,
  target: AdaptTarget,
  options: AdaptOptions = {},
): Promise<AdaptReport> {
  const plan = await planAdaptation(source, target, options);
  // The pages of the guest decide nothing here, and without them the state is small.
  const scratch = openScratchFile();
  try {
    const sink = new WrittenFile(scratch.name, scratch.descriptor);
    const { signal, onProgress } = options;
    await writeAdapted(source, sink, withoutPages(plan), {
      signal,
      onProgress: (offset) => onProgress?.('reading', offset),
    });
    const written = await sink.readBack();
    const foretold = await foretell(written, plan, options).finally(() => written.close());
    return { ...reportOf(plan, options), foretold };
  } finally {
    scratch.close();
  }
}

/**
 * Makes a state fit a machine, and proves that nothing else changed.
 * @throws UnsupportedError `not-adaptable`; UsageError `not-accepted`; FormatError for damage
 */
export async function adapt(
  source: ByteSource,
  target: AdaptTarget,
  sink: ReadableSink,
  options: AdaptOptions = {},
): Promise<AdaptReport> {
  const { signal, onProgress } = options;
  const plan = await planAdaptation(source, target, options);
  const report = reportOf(plan, options);
  if (report.toAccept.length > 0)
    throw new UsageError(
      'not-accepted',
      `Cannot adapt without --accept ${report.toAccept.join(',')}: ` +
        `${report.changes.find((change) => report.toAccept.includes(change.class))?.message}`,
    );
  await writeAdapted(source, sink, plan, {
    signal,
    onProgress: (offset) => onProgress?.('writing', offset),
  });
  return { ...report, proof: await prove(source, sink, plan, options) };
}

function reportOf({ changes }: AdaptPlan, { accept = [], release }: AdaptOptions): AdaptReport {
  const toAccept = CLASSES_TO_ACCEPT.filter(
    (kind) => !accept.includes(kind) && changes.some((change) => change.class === kind),
  );
  const experimental =
    release && `VirtualBox ${releaseName(release)} itself was not tried; keep the state that this one was made of`;
  return { changes, toAccept, experimental };
}

async function foretell(state: ByteSource, plan: AdaptPlan, { release, signal }: AdaptOptions): Promise<Foretold> {
  const { forecast, notJudged, assumed } = await check(state, {
    machine: plan.machine,
    release,
    host: plan.host,
    signal,
  });
  const unit = forecast?.unit === undefined ? '' : ` at ${forecast.unit}`;
  const refusal = forecast && `${forecast.vboxCode}${unit}: ${forecast.message}`;
  return { refusal, notJudged, assumed };
}

async function prove(
  source: ByteSource,
  sink: ReadableSink,
  plan: AdaptPlan,
  options: AdaptOptions,
): Promise<AdaptProof> {
  const { signal, onProgress } = options;
  const written = await sink.readBack();
  try {
    const common = {
      of: 'content' as const,
      signal,
      onProgress: (offset: number) => onProgress?.('proving', offset),
    };
    const naming: RangeNaming = (kind, id, page) =>
      (plan.memory?.keeps(kind, id, page) ?? true) ? sameIds(kind, id, page) : undefined;
    const own = await fingerprint(walkState, source, { ...common, naming });
    const other = await fingerprint(walkState, written, { ...common, naming: sameIds, like: own.memory });
    const differences: string[] = [];
    for (const range of new Set([...own.memory.keys(), ...other.memory.keys()])) {
      const [before, after] = [own.memory.get(range), other.memory.get(range)];
      const first = before && after ? before.differences(after)[Symbol.iterator]().next() : { done: false };
      if (!first.done) differences.push(`memory ${range}`);
    }
    const expected = expectedUnits(plan, own.units);
    for (const unit of new Set([...expected.keys(), ...other.units.keys()]))
      if (expected.get(unit) !== other.units.get(unit)) differences.push(`unit ${unit}`);
    const unitsAsBefore = [...other.units].filter(([unit, hash]) => own.units.get(unit) === hash).length;
    const unitsChanged = new Set([...own.units.keys(), ...other.units.keys()]).size - unitsAsBefore;
    const foretold = await foretell(written, plan, options);
    return {
      holds: differences.length === 0 && foretold.refusal === undefined,
      unitsAsBefore,
      unitsChanged,
      ranges: own.memory.size,
      differences,
      ...foretold,
    };
  } finally {
    await written.close();
  }
}

/** Hashes as `fingerprint` makes them, of the units that the plan demands. */
function expectedUnits({ units }: AdaptPlan, own: ReadonlyMap<string, string>): Map<string, string> {
  const expected = new Map<string, string>();
  for (const { header, payload } of units) {
    if (isPgm(header)) continue;
    const key = `${unitLabel({ ...header, pass: 'final' })} final`;
    const made = payload && createHash('sha256').update(`version ${header.version}`).update(payload).digest('hex');
    expected.set(key, made ?? own.get(key) ?? 'missing');
  }
  return expected;
}
