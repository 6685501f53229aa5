import { UsageError } from '../../../formats/errors.ts';
import type { ByteSink, ReadableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { pgmVersion } from '../../../formats/pgm/versions.ts';
import type { ContainerFormat } from '../../../formats/ssm/container.ts';
import { fingerprint, sameIds } from '../hashing/fingerprint.ts';
import type { Hashed } from '../hashing/hashing-sink.ts';
import { settleLayout } from '../layout/machine-layout.ts';
import { ramConfigOf } from '../layout/memory-map.ts';
import { layoutNaming, placesOf, visibleNaming } from '../layout/range-map.ts';
import { isOfLiveSave } from '../reading/live-parts.ts';
import type { SavedState } from '../reading/state.ts';
import type { RangeNaming } from '../reading/state-view.ts';
import { stepOf } from '../reading/step.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';
import { chooseThreads } from '../threads/choose-threads.ts';
import { LastPasses } from './last-pass.ts';
import { type ConvertOptions, type ConvertPlan, completedConfig, configOf, planConversion } from './plan.ts';
import { compareStates, type Proof } from './proof.ts';
import type { PgmStep } from './rewrite-pgm.ts';
import { writeState } from './write-state.ts';

/** Options of a conversion. */
export interface ConvertRun extends ConvertOptions, Pick<WalkOptions, 'signal'> {
  /** Read the result back and compare it with the source; default true. */
  proof?: boolean;
  /** Number of encoding threads; default: as many as pay. The result does not depend on it. */
  threads?: number;
  /** Called with the step that is under way, and the offset reached in the file that is read. */
  onProgress?: (doing: 'reading' | 'writing' | 'proving', offset: number) => void;
}

/** Report of a conversion. */
export interface ConvertReport {
  /** Form of the source. */
  from: { container: ContainerFormat; pgm?: number; live: boolean };
  /** Form of the result. */
  to: { container: ContainerFormat; pgm?: number; live: boolean };
  /** Data that the target could not hold. */
  losses: string[];
  /** Facts that the source does not hold, and that all machines of its time had. */
  assumptions: string[];
  /** Absent with `proof: false`. */
  proof?: Proof;
}

/** Plan of a conversion, before anything is written. */
export interface PreparedConversion {
  state: SavedState;
  plan: ConvertPlan;
  report: ConvertReport;
  pgm: PgmStep;
  /** Names by which the memory of source and result is compared. */
  naming: { source: RangeNaming; written: (look: () => Promise<SavedState>) => Promise<RangeNaming> };
}

/** Ranges keep their ids. */
const SAME_IDS: PreparedConversion['naming'] = { source: sameIds, written: async () => sameIds };

/**
 * Writes a state in another container, another version of the pgm unit, or without its live passes, and proves that
 * nothing else changed.
 *
 * @param source seekable: it is read several times
 * @throws UnsupportedError `lossy-downgrade` where the target can't hold the state; FormatError for damage in the
 * source
 */
export async function convert(
  source: ByteSource,
  sink: ReadableSink,
  options: ConvertRun = {},
): Promise<ConvertReport> {
  const preparation = (await prepareByHeads(source, options)) ?? (await prepareConversion(source, options));
  await writeConversion(source, sink, preparation, options);
  if (options.proof !== false) preparation.report.proof = await prove(source, sink, preparation, options);
  return preparation.report;
}

/** Carries a prepared conversion out; into any sink where the target is a V2.0 container. */
export async function writeConversion(
  source: ByteSource,
  sink: ByteSink,
  preparation: PreparedConversion,
  options: ConvertRun = {},
): Promise<void> {
  const { state, plan, pgm } = preparation;
  await writeState(source, state, sink, {
    plan,
    pgm,
    threads: chooseThreads(source, options.threads),
    ...stepOf(options, 'writing'),
  });
}

/** Reads the source and plans a conversion. Nothing is written. */
export async function prepareConversion(source: ByteSource, options: ConvertRun = {}): Promise<PreparedConversion> {
  checkSeekable(source);
  const lastPasses = options.flatten ? new LastPasses() : undefined;
  const passes = new PassCounter();
  const sink = { take: (batch: PageBatch) => lastPasses?.note(batch, passes.current) };
  const state = await walkState(source, {
    skipCrc: true,
    sink,
    onUnit: passes.onUnit,
    ...stepOf(options, 'reading'),
  });
  return prepare(state, options, lastPasses);
}

/**
 * Plans a conversion from the heads of units alone, for plans that do not depend on pages. Damaged pages show while
 * they are written; the output then never appears. Undefined where the pages have to be read first.
 */
async function prepareByHeads(source: ByteSource, options: ConvertRun): Promise<PreparedConversion | undefined> {
  checkSeekable(source);
  if (options.flatten) return undefined;
  const state = await walkState(source, {
    skipCrc: true,
    untilPages: true,
    signal: options.signal,
  });
  const { header, pgm } = state;
  const from = pgm && pgmVersion(pgm.version);
  const to = options.pgm === undefined ? from : pgmVersion(options.pgm);
  const arePassesKnown = !header.live && pgm?.passes[0].pass === 'final';
  const arePagesAlike =
    from?.pages === 'records' && to?.pages === 'records' && (to.balloonRecords || !from.balloonRecords);
  const isSizeKnown = pgm?.ramSize !== undefined;
  const isSameContainer = header.format === '2.0' && (options.container ?? header.format) === header.format;
  return arePassesKnown && arePagesAlike && isSizeKnown && isSameContainer ? prepare(state, options) : undefined;
}

function checkSeekable(source: ByteSource): void {
  if (!source.seekable)
    throw new UsageError(
      'not-seekable',
      `Cannot convert ${source.name}: it has to be read several times, so it must be a file`,
    );
}

function prepare(state: SavedState, options: ConvertRun, lastPasses?: LastPasses): PreparedConversion {
  const plan = planConversion(state, options);
  const { pgm } = state;
  const prepared = { state, plan, report: reportOf(state, plan) };
  if (plan.keepsPgm || !plan.version || !pgm) return { ...prepared, pgm: { does: 'keep' }, naming: SAME_IDS };
  const { version } = plan;
  if (pgm.config && version.pages === 'records') {
    const config = completedConfig(state, pgm.config);
    const step = { does: 'rewrite', version, config, placeOf: undefined, lastPasses } as const;
    return { ...prepared, pgm: step, naming: SAME_IDS };
  }
  const layout = settleLayout(state, options.layout);
  const placeOf = placesOf(state, layout);
  const own = layoutNaming(state, layout);
  // Version 6 and today's loaders keep only the page that the guest reads, the ROM's or the shadow.
  const keepsShadows = version.pages !== 'chunks' && plan.pageTypes === 'original';
  const naming = {
    source: keepsShadows || version.pages === 'records' ? own : visibleNaming(state, own),
    written: async (look: () => Promise<SavedState>) => layoutNaming(await look(), layout),
  };
  const step: PgmStep =
    version.pages === 'records'
      ? { does: 'rewrite', version, config: configOf(pgm, layout), placeOf, lastPasses }
      : { does: 'write-old', target: { version, numbering: plan.pageTypes, layout, ...ramConfigOf(pgm), placeOf } };
  return { ...prepared, pgm: step, naming };
}

/** Counts the passes of the pgm unit as they come. */
class PassCounter {
  current = -1;
  readonly onUnit = (unit: { name: string }) => {
    if (unit.name === 'pgm') this.current++;
  };
}

function reportOf(state: SavedState, plan: ConvertPlan): ConvertReport {
  const { header, pgm } = state;
  const from = { container: header.format, live: header.live, pgm: pgm?.version };
  const to = { container: plan.container, live: plan.live, pgm: plan.version?.version };
  return { from, to, losses: plan.losses, assumptions: plan.assumptions };
}

/** Compares copied blocks as they are stored, and contents only if those differ. */
async function prove(
  source: ByteSource,
  sink: ReadableSink,
  { naming, plan }: PreparedConversion,
  { signal, onProgress }: ConvertRun,
): Promise<Proof> {
  const written = await sink.readBack();
  const attempt = async (of: Hashed) => {
    const common = { of, signal };
    const own = await fingerprint(walkState, source, {
      ...common,
      leavesOut: plan.flatten ? isOfLiveSave : undefined,
      naming: naming.source,
      ...stepOf({ signal, onProgress }, 'proving'),
    });
    const other = await fingerprint(walkState, written, {
      ...common,
      like: own.memory,
      naming: await naming.written(() => walkState(written, { skipCrc: true })),
    });
    return compareStates(own, other, plan.losses.length > 0);
  };
  try {
    const samePages = !plan.recompress && plan.compression === 'lzf';
    const proof = samePages ? await attempt('encoded') : undefined;
    return proof?.equal ? proof : await attempt('content');
  } finally {
    await written.close();
  }
}
