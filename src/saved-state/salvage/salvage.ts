import { isDeepStrictEqual } from 'node:util';
import type { ByteSink, SeekableSink } from '../../../formats/binary/sink.ts';
import type { ByteSource } from '../../../formats/binary/source.ts';
import { FormatError, hex, type Pass, type SavkitError, UsageError } from '../../../formats/errors.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { hasRamInLowHole } from '../../../formats/pgm/ranges.ts';
import { NEWEST_PGM } from '../../../formats/pgm/versions.ts';
import type { UnitHeader } from '../../../formats/ssm/container.ts';
import type { MachineLayout } from '../convert/machine-layout.ts';
import { type Finding, findingOf } from '../findings.ts';
import { PageHashes } from '../page-hashes.ts';
import type { SavedState } from '../state.ts';
import { verify } from '../verify.ts';
import { type WalkOptions, walkState } from '../walk.ts';
import { AnchorFinder, ramStretches } from './anchors.ts';
import { expectedPages } from './expected-pages.ts';
import { BELIEVED_CHANCE, CERTAIN_CHANCE, type FlippedBit, findFlippedBits, flipBits } from './flipped-bits.ts';
import { commonRanges, completeRanges } from './known-ranges.ts';
import { type LostRun, lostPages, type PassRecord } from './losses.ts';
import { PageSurvey, type PassPages, pagesInBoth } from './page-survey.ts';
import { type Gap, readSurvivors, type Survivors, type UnitOutcome } from './survivors.ts';
import { type Target, targetOf } from './target.ts';
import { type Fill, writeSalvaged } from './write-salvaged.ts';

/** Two values that a damaged block is taken for in two readings: what differs then depends on it. */
const PATCHES = [0x00, 0xff] as const;

/** A block has up to 32 KiB: eight pages, or seven and parts of two. */
const PAGES_IN_BLOCK_V1 = 9;

export interface SalvageOptions extends Pick<WalkOptions, 'signal'> {
  /** What missing pages become: nothing (VirtualBox then refuses the state), zeros, or an older copy where a live save has one and else zeros. */
  fill?: Fill;
  /** Flip back a single bit that explains a wrong CRC and makes the state whole, also where in so long a stretch some bit may fit by accident. */
  repair?: boolean;
  /** Keep units and pages whose bytes can be read but do not have the CRC that was stored. */
  trust?: boolean;
  /** Where ROMs and device memory are, for states of pgm 6 to 9: names what is lost of ranges that can't be read. */
  layout?: MachineLayout;
  onProgress?: (doing: 'reading' | 'checking' | 'writing', offset: number) => void;
}

export interface SalvageReport {
  /** Nothing is missing but what can be made anew: directory, footer, CRCs. */
  complete: boolean;
  /** VirtualBox will not refuse the result for what salvage had to leave out. */
  loadable: boolean;
  kept: UnitFate[];
  dropped: UnitFate[];
  /** Stretches of the file, `[start, end)`, in which units are lost whose headers can't be read. */
  lostUnits: { start: number; end: number }[];
  /** Units may be missing behind the last one that was found. */
  cut: boolean;
  lost: LostRun[];
  /** Pages that are missing or old. */
  lostPages: number;
  /** More is lost than the list says: what named the ranges of ROMs and device memory is lost, too. */
  untold: boolean;
  /** Bits that were flipped back: just they explain a wrong CRC. */
  repaired: FlippedBit[];
  /** The bytes of kept memory do not have the stored CRC, and no damaged page accounts for that: any page may be wrong. */
  unproven: boolean;
  findings: Finding[];
}

export interface UnitFate {
  name: string;
  instance: number;
  pass: Pass;
  version: number;
  offset: number;
  why?: string;
}

/** What of a damaged state can be kept. */
export interface Survey {
  state: SavedState;
  survivors: Survivors;
  anchors: AnchorFinder['anchors'];
  passes: PassRecord[];
  lost: LostRun[];
  dropped: Map<number, string>;
  lostUnits: SalvageReport['lostUnits'];
  untold: boolean;
  unproven: boolean;
  target: Target;
}

/** For states whose pgm units are all dropped, or not there. */
const NO_TARGET: Target = { version: NEWEST_PGM, placeOf: () => undefined };

/**
 * Writes the best state that can be had of a damaged file, and lists exactly what is missing. Nothing is made up: without `fill`, a state with missing
 * pages carries a unit that keeps VirtualBox from loading it.
 * @param source seekable @throws FormatError where nothing can be kept
 */
export async function salvage(source: ByteSource, sink: ByteSink | SeekableSink, options: SalvageOptions = {}): Promise<SalvageReport> {
  if (!source.seekable) throw new UsageError('not-seekable', `Cannot salvage ${source.name}: it has to be read several times, so it must be a file`);
  const { isGood, flipped } = await diagnose(source, options);
  const repaired = await believable(source, flipped, options);
  const mended = repaired.length > 0 ? flipBits(source, repaired) : source;
  const survey = await surveyDamage(mended, options);
  const report = { ...reportOf(survey, options), repaired };
  if (!isGood) report.findings.push(...flipped.filter((bit) => !repaired.includes(bit)).map(hintOf));
  if (report.kept.length === 0) throw new FormatError('nothing-left', `Cannot salvage ${source.name}: no unit can be read`);
  await writeSalvaged(mended, sink, survey, report, options);
  return report;
}

/** Looks whether anything is wrong at all, and where flipped bits explain it. */
async function diagnose(source: ByteSource, { signal }: SalvageOptions): Promise<{ isGood: boolean; flipped: FlippedBit[] }> {
  let isGood = true;
  const state = await walkState(source, {
    ...(signal ? { signal } : {}),
    onDamage: () => {
      isGood = false;
    },
  });
  return { isGood, flipped: isGood ? [] : await findFlippedBits(source, state.header) };
}

/** The bits to flip back: where the state is good then, others fit by accident less often; where it is not, only what is certain. */
async function believable(source: ByteSource, flipped: readonly FlippedBit[], options: SalvageOptions): Promise<FlippedBit[]> {
  const likely = flipped.filter(({ chance }) => options.repair || chance <= BELIEVED_CHANCE);
  if (likely.length === 0) return [];
  const { verdict } = await verify(flipBits(source, likely), options.signal ? { signal: options.signal } : {});
  return verdict === 'whole' ? likely : likely.filter(({ chance }) => chance <= CERTAIN_CHANCE);
}

function hintOf({ offset, bit, chance }: FlippedBit): Finding {
  const message = `One flipped bit would explain a wrong CRC: bit ${bit} at ${hex(offset)} (by accident some bit fits ${Math.round(chance * 100)} times in 100)`;
  return { severity: 'warning', code: 'flipped-bit', message, place: { offset } };
}

/** Reads a damaged state as far as it can be read. Nothing is written. */
export async function surveyDamage(source: ByteSource, { trust = false, layout, signal, onProgress }: SalvageOptions = {}): Promise<Survey> {
  const stopping = signal ? { signal } : {};
  const progress = (doing: 'reading' | 'checking') => (onProgress ? { onProgress: (offset: number) => onProgress(doing, offset) } : {});
  const [state, other] = [await look(source, PATCHES[0], stopping), await look(source, PATCHES[1], stopping)];
  const known = withKnownRanges(state, other, layout);
  const target = haveSameHeads(state, other) ? targetOf(known, layout) : undefined;
  const finder = new AnchorFinder(state.header.live ? [] : stretchesOf(state));
  const survivors = await readSurvivors(source, finder, { ...stopping, ...progress('reading'), anchors: finder.anchors, patchWith: PATCHES[0] });
  const { anchors } = finder;
  const passUnits = survivors.units.filter(({ unit }) => isPgm(unit));
  const isChanged = ({ errors }: UnitOutcome) => errors.some((error) => error.code !== 'truncated' && !isMove(error));
  const doubted = new Set(passUnits.flatMap((outcome, pass) => (isChanged(outcome) ? [pass] : [])));
  const readings: PageSurvey[] = [];
  for (const patchWith of PATCHES) {
    const survey = new PageSurvey({ patchWith, doubted, reach: state.header.format === '2.0' ? 1 : PAGES_IN_BLOCK_V1 });
    await readSurvivors(source, survey, { ...stopping, ...progress('checking'), anchors, patchWith });
    readings.push(survey);
  }
  const [a, b] = readings;
  const passes = passUnits.map(({ unit, complete, errors }, i): PassRecord => {
    const seen = a.passes[i] ?? new Map();
    const certain = pagesInBoth(seen, b.passes[i] ?? new Map());
    return {
      complete,
      seen,
      certain,
      isWhole: complete && !areListsLost(state) && !errors.some(({ code }) => code === 'truncated') && isSame(seen, certain),
      lostBefore: mayFollowLostPass(unit, passUnits[i - 1]?.unit, survivors),
    };
  });
  const hasFinal = passUnits.some(({ unit }) => unit.pass === 'final');
  const { expected, untold } = expectedPages(known, (id) => passes.some(({ certain }) => certain.has(`shadow ${id}`)));
  return {
    state,
    survivors,
    anchors,
    passes,
    target: target ?? NO_TARGET,
    lost: lostPages(expected, passes, !hasFinal),
    // Of versions 6 to 9 also where the list of ranges does not end, unless the layout knows them all.
    untold: untold || (state.pgm?.config === undefined && !layout && !passes.at(-1)?.complete),
    lostUnits: unitsLost(survivors, state.header.live),
    dropped: new Map(
      survivors.units.flatMap((outcome): [number, string][] => {
        const why = reasonToDrop(outcome, trust, target !== undefined && !(outcome.unit.pass === 'final' && areListsLost(state) && !target.config));
        return why === undefined ? [] : [[outcome.unit.offset, why]];
      }),
    ),
    unproven: passUnits.some((outcome, i) => isUnproven(outcome, passes[i], survivors)),
  };
}

function look(source: ByteSource, patchWith: number, stopping: Pick<WalkOptions, 'signal'>): Promise<SavedState> {
  return walkState(source, { ...stopping, skipCrc: true, listsMayBeLost: true, patchWith, onDamage: () => {} });
}

/** Passes of a live save follow each other without a gap; of the last one before the final pass only the file tells. */
function mayFollowLostPass(unit: UnitHeader, before: UnitHeader | undefined, { gaps }: Survivors): boolean {
  if (unit.pass === 'final') {
    const hasPasses = before !== undefined;
    return hasPasses && gaps.some(({ start, end }) => start > before.offset && end <= unit.offset);
  }
  return before ? before.pass !== unit.pass - 1 : unit.pass > 0;
}

/** Stretches of the file in which units are lost whose headers could not be read. The directory lists none of live passes. */
function unitsLost({ gaps, directory, units }: Survivors, live: boolean): { start: number; end: number }[] {
  const known = new Set(units.map(({ unit }) => unit.claimedOffset ?? unit.offset));
  // Then places in the file are not those that the directory lists.
  const hasMoved = units.some(({ unit }) => unit.claimedOffset !== undefined);
  const isListed = ({ start, end }: Gap) => directory?.some(({ offset }) => !known.has(offset) && (hasMoved || (offset >= start && offset < end))) ?? true;
  return gaps.filter((gap) => live || gap.hides === 'a unit' || isListed(gap)).map(({ start, end }) => ({ start, end }));
}

/** Of a live save: the unit of pass 0, which names ROMs and device memory. */
function areListsLost({ header, pgm }: SavedState): boolean {
  return header.live && pgm !== undefined && !pgm.config;
}

/** Versions 6 to 9: page types stand among the pages, so behind damage both readings find different ones. */
function withKnownRanges(state: SavedState, other: SavedState, layout: MachineLayout | undefined): SavedState {
  if (!state.pgm || state.pgm.config) return state;
  const common = { ...state, pgm: { ...state.pgm, oldRanges: commonRanges(state.pgm.oldRanges, other.pgm?.oldRanges ?? []) } };
  return layout ? { ...common, pgm: { ...common.pgm, oldRanges: completeRanges(common, layout) } } : common;
}

/** Damaged blocks must have no part in what pages are written anew by. */
function haveSameHeads({ pgm: a }: SavedState, { pgm: b }: SavedState): boolean {
  return isDeepStrictEqual([a?.version, a?.basic, a?.config, a?.ramSize], [b?.version, b?.basic, b?.config, b?.ramSize]);
}

function stretchesOf({ header, pgm }: SavedState) {
  return ramStretches(pgm?.ramSize ?? 0, pgm?.config?.ramHole, hasRamInLowHole(header.release));
}

function reasonToDrop({ unit, errors, hasHead }: UnitOutcome, trust: boolean, hasTarget: boolean): string | undefined {
  if (isPgm(unit)) return hasHead && hasTarget ? undefined : (errors[0]?.message ?? 'its head can not be read');
  const grave = errors.filter((error) => !isMove(error) && !(trust && CRC_CODES.includes(error.code)));
  return grave[0]?.message;
}

/** The unit is whole, but stands elsewhere. */
function isMove({ code, place }: SavkitError): boolean {
  return code === 'bad-unit' && place.field === 'offset';
}

const CRC_CODES = ['bad-stream-crc', 'bad-crc'];

/** A wrong CRC that no damaged page or gap accounts for. */
function isUnproven({ errors }: UnitOutcome, { isWhole }: PassRecord, { units, errors: outside }: Survivors): boolean {
  // V1.x has one CRC for all: any damage that was found may account for it.
  const isFileWrong = outside.some(({ code }) => code === 'bad-file-crc') && units.every((unit) => unit.errors.length === 0);
  return isWhole && (isFileWrong || errors.some(({ code }) => code === 'bad-term' || CRC_CODES.includes(code)));
}

function isSame(seen: PassPages, certain: PassPages): boolean {
  for (const [group, pages] of seen) if (!pages.differences(certain.get(group) ?? NO_PAGES).next().done) return false;
  return true;
}

const NO_PAGES = new PageHashes();

function reportOf(survey: Survey, { fill, trust = false }: SalvageOptions): Omit<SalvageReport, 'repaired'> {
  const { survivors, dropped, lost, untold, unproven, lostUnits } = survey;
  const fate = ({ unit: { name, instance, pass, version, offset } }: UnitOutcome, why?: string): UnitFate => ({
    name,
    instance,
    pass,
    version,
    offset,
    ...(why === undefined ? {} : { why }),
  });
  const units = survivors.units;
  const pages = lost.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const hasUnits = dropped.size === 0 && !survivors.cut && survey.lostUnits.length === 0;
  const complete = hasUnits && pages === 0 && !untold && !unproven;
  const filled = fill !== undefined || pages === 0;
  return {
    complete,
    loadable: hasUnits && filled && !untold && (!unproven || trust),
    kept: units.filter(({ unit }) => !dropped.has(unit.offset)).map((outcome) => fate(outcome)),
    dropped: units.filter(({ unit }) => dropped.has(unit.offset)).map((outcome) => fate(outcome, dropped.get(outcome.unit.offset))),
    lostUnits,
    cut: survivors.cut,
    lost,
    lostPages: pages,
    untold,
    unproven,
    findings: [...survivors.errors, ...units.flatMap(({ errors }) => errors)].map(findingOf),
  };
}
