import { isDeepStrictEqual } from 'node:util';
import type { Stretch } from '../../../formats/files/readable-parts.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { hasRamInLowHole } from '../../../formats/pgm/ranges.ts';
import { NEWEST_PGM, pgmVersion } from '../../../formats/pgm/versions.ts';
import type { UnitHeader } from '../../../formats/ssm/container.ts';
import type { MachineLayout } from '../layout/machine-layout.ts';
import type { SavedState } from '../reading/state.ts';
import { type WalkOptions, walkState } from '../reading/walk.ts';
import { AnchorFinder, ramStretches } from './anchors.ts';
import { expectedPages } from './expected-pages.ts';
import { commonRanges, completeRanges, rangesBefore } from './known-ranges.ts';
import { type LostRun, lostPages, type PassRecord } from './losses.ts';
import { unitsLost } from './lost-units.ts';
import { PageSurvey } from './page-survey.ts';
import type { SalvageOptions } from './salvage-options.ts';
import { type SalvageTarget, targetOf } from './salvage-target.ts';
import { isMove, readSurvivors, type SurvivorOptions, type Survivors } from './survivors.ts';
import { type PassPages, TwoReadings } from './two-readings.ts';
import type { Anchors, UnitOutcome } from './visitor.ts';

/**
 * Each of two readings fills damaged blocks and unreadable parts with one of these values. Results that differ depend
 * on such bytes.
 */
export const PATCHES = [0x00, 0xff] as const;

/** A block has up to 32 KiB: eight pages, or seven and parts of two. */
const PAGES_IN_BLOCK_V1 = 9;

/** Parts of a damaged state that can be kept. */
export interface Survey {
  state: SavedState;
  survivors: Survivors;
  anchors: Anchors;
  passes: PassRecord[];
  lost: LostRun[];
  dropped: Map<number, string>;
  /** Stretches in which units with unreadable headers are lost, or may be. */
  lostUnits: Stretch[];
  untold: boolean;
  unproven: boolean;
  target: SalvageTarget;
}

/** For states without a usable pgm unit. */
const NO_TARGET: SalvageTarget = { version: NEWEST_PGM, placeOf: () => undefined };

/** The same file twice, its unreadable parts filled with one of `PATCHES` each. */
export type TwoFills = readonly [ByteSource, ByteSource];

/** Reads a damaged state as far as it can be read. Nothing is written. */
export async function surveyDamage(
  sources: TwoFills,
  { trust = false, layout, signal, onProgress, unreadable }: SalvageOptions & Pick<SurvivorOptions, 'unreadable'>,
): Promise<Survey> {
  const stopping = signal ? { signal } : {};
  const progress = (doing: 'reading' | 'checking') =>
    onProgress ? { onProgress: (offset: number) => onProgress(doing, offset) } : {};
  const [state, other] = [await look(sources[0], PATCHES[0], stopping), await look(sources[1], PATCHES[1], stopping)];
  const finder = new AnchorFinder(state.header.live ? [] : stretchesOf(state));
  const survivors = await readSurvivors(sources[0], finder, {
    ...stopping,
    ...progress('reading'),
    anchors: finder.anchors,
    patchWith: PATCHES[0],
    unreadable,
  });
  const { anchors } = finder;
  const passUnits = survivors.units.filter(({ unit }) => isPgm(unit));
  const { readings, seen, certain } = await readPagesTwice(sources, state, passUnits, {
    ...stopping,
    ...progress('checking'),
    anchors,
  });
  const known = withKnownRanges([state, other], readings, layout);
  const target = haveSameHeads(state, other) ? targetOf(known, layout) : undefined;
  const passes = passUnits.map((outcome, i) =>
    passRecord(
      outcome,
      { seen: seen[i] ?? new Map(), certain: certain[i] ?? new Map() },
      readings.some(({ hurt }) => hurt.has(i)) || areListsLost(state),
      mayFollowLostPass(outcome.unit, passUnits[i - 1]?.unit, survivors),
    ),
  );
  const isShifted = passUnits.some(mayBeShifted);
  const hasFinal = passUnits.some(({ unit }) => unit.pass === 'final');
  const { expected, untold } = expectedPages(known, (id) => passes.some(({ certain }) => certain.has(`shadow ${id}`)));
  return {
    state,
    survivors,
    anchors,
    passes,
    target: target ?? NO_TARGET,
    lost: lostPages(expected, passes, !hasFinal),
    // Versions 6 to 9: also if the end of the list of ranges is missing, unless the layout knows all ranges.
    untold: untold || isShifted || (state.pgm?.config === undefined && !layout && !passes.at(-1)?.complete),
    lostUnits: unitsLost(survivors, state.header.live),
    dropped: unitsToDrop(survivors, state, trust, target),
    unproven: isShifted || passUnits.some((outcome, i) => isUnproven(outcome, passes[i], survivors)),
  };
}

/** The pages of each pass in two readings, which replace damaged blocks by different bytes. */
async function readPagesTwice(
  sources: TwoFills,
  { header }: SavedState,
  passUnits: readonly UnitOutcome[],
  options: Omit<SurvivorOptions, 'patchWith'>,
): Promise<{ readings: PageSurvey[]; seen: PassPages[]; certain: PassPages[] }> {
  const isChanged = ({ errors }: UnitOutcome) => errors.some((error) => error.code !== 'truncated' && !isMove(error));
  const doubted = new Set(passUnits.flatMap((outcome, pass) => (isChanged(outcome) ? [pass] : [])));
  const reach = header.format === '2.0' ? 1 : PAGES_IN_BLOCK_V1;
  const both = new TwoReadings();
  const read = async (side: 0 | 1, more: Pick<SurvivorOptions, 'onProgress'>) => {
    const patchWith = PATCHES[side];
    const survey = new PageSurvey(both.notesOf(side), { patchWith, doubted, reach });
    try {
      await readSurvivors(sources[side], survey, { ...options, ...more, patchWith });
    } finally {
      both.end(side);
    }
    return survey;
  };
  // One reading reports progress for both.
  const results = await Promise.allSettled([read(0, {}), read(1, { onProgress: undefined })]);
  const readings = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  return { readings, seen: both.seen, certain: both.certain };
}

function passRecord(
  { complete, errors }: UnitOutcome,
  { seen, certain }: Pick<PassRecord, 'seen' | 'certain'>,
  isHurt: boolean,
  lostBefore: boolean,
): PassRecord {
  const isCut = errors.some(({ code }) => code === 'truncated' || code === 'bad-compression');
  const isWhole = complete && !isHurt && !isCut && isSame(seen, certain);
  return { complete, seen, certain, isWhole, lostBefore };
}

function look(source: ByteSource, patchWith: number, stopping: Pick<WalkOptions, 'signal'>): Promise<SavedState> {
  return walkState(source, { ...stopping, skipCrc: true, listsMayBeLost: true, patchWith, onDamage: () => {} });
}

/**
 * Whether a pass of a live save may be missing before a unit: by a gap in the numbers of passes, or, before the final
 * pass, by a gap in the file.
 */
function mayFollowLostPass(unit: UnitHeader, before: UnitHeader | undefined, { gaps }: Survivors): boolean {
  if (unit.pass === 'final') {
    const hasPasses = before !== undefined;
    return hasPasses && gaps.some(({ start, end }) => start > before.offset && end <= unit.offset);
  }
  return before ? before.pass !== unit.pass - 1 : unit.pass > 0;
}

/** Whether pages may be taken for others, after missing bytes: versions 6 to 9 have no addresses among the pages. */
function mayBeShifted({ unit, isResized }: UnitOutcome): boolean {
  return isResized && pgmVersion(unit.version)?.pages !== 'records';
}

/** Whether a live save has lost the unit of pass 0, which names ROMs and device memory. */
function areListsLost({ header, pgm }: SavedState): boolean {
  return header.live && pgm !== undefined && !pgm.config;
}

/**
 * The state with its certain ranges. Versions 6 to 9 have page types among the pages, so ranges are kept only as far as
 * both readings agree, before the first doubtful page.
 */
function withKnownRanges(
  [state, other]: [SavedState, SavedState],
  readings: readonly PageSurvey[],
  layout: MachineLayout | undefined,
): SavedState {
  if (!state.pgm || state.pgm.config) return state;
  const [ranges, others] = [state, other].map(({ pgm }, i) =>
    rangesBefore(pgm?.oldRanges ?? [], readings[i].doubtedFrom[0]),
  );
  const common = { ...state, pgm: { ...state.pgm, oldRanges: commonRanges(ranges, others) } };
  return layout ? { ...common, pgm: { ...common.pgm, oldRanges: completeRanges(common, layout) } } : common;
}

/**
 * Whether both readings agree on the heads of unit pgm: pages are written anew by these heads, so no byte in the heads
 * may be damaged.
 */
function haveSameHeads({ pgm: a }: SavedState, { pgm: b }: SavedState): boolean {
  return isDeepStrictEqual(
    [a?.version, a?.basic, a?.config, a?.ramSize],
    [b?.version, b?.basic, b?.config, b?.ramSize],
  );
}

function stretchesOf({ header, pgm }: SavedState) {
  return ramStretches(pgm?.ramSize ?? 0, pgm?.config?.ramHole, hasRamInLowHole(header.release));
}

/** @returns for every unit to drop the reason, by the unit's offset */
function unitsToDrop(
  { units }: Survivors,
  state: SavedState,
  trust: boolean,
  target: SalvageTarget | undefined,
): Map<number, string> {
  const dropped = new Map<number, string>();
  for (const outcome of units) {
    const hasTarget = target !== undefined && !(outcome.unit.pass === 'final' && areListsLost(state) && !target.config);
    const why = reasonToDrop(outcome, trust, hasTarget);
    if (why !== undefined) dropped.set(outcome.unit.offset, why);
  }
  return dropped;
}

const CRC_CODES = ['bad-stream-crc', 'bad-crc'];

function reasonToDrop({ unit, errors, hasHead }: UnitOutcome, trust: boolean, hasTarget: boolean): string | undefined {
  if (isPgm(unit)) return hasHead && hasTarget ? undefined : (errors[0]?.message ?? 'its head cannot be read');
  const grave = errors.filter((error) => !isMove(error) && !(trust && CRC_CODES.includes(error.code)));
  return grave[0]?.message;
}

/** Whether a unit has a wrong CRC that no damaged page or gap accounts for. */
function isUnproven({ errors }: UnitOutcome, { isWhole }: PassRecord, { units, errors: outside }: Survivors): boolean {
  // V1.x has one CRC for all: any damage that was found may account for it.
  const isFileWrong =
    outside.some(({ code }) => code === 'bad-file-crc') && units.every((unit) => unit.errors.length === 0);
  return isWhole && (isFileWrong || errors.some(({ code }) => code === 'bad-term' || CRC_CODES.includes(code)));
}

/** Whether all pages that were seen are certain. */
function isSame(seen: PassPages, certain: PassPages): boolean {
  return [...seen].every(([group, { size }]) => certain.get(group)?.size === size);
}
