import { FormatError } from '../../formats/errors.ts';
import { type ByteSource, bufferSource } from '../../formats/files/source.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import type { LostRun } from '../saved-state/salvage/losses.ts';
import { salvage } from '../saved-state/salvage/salvage.ts';
import type { SalvageOptions } from '../saved-state/salvage/salvage-options.ts';
import type { SalvageReport } from '../saved-state/salvage/salvage-report.ts';
import { verify } from '../saved-state/verify/verify.ts';
import { type NaivePage, naiveKey, naiveMemory, naivePagesOf } from './naive-pages.ts';
import { NAIVE_FINAL, type NaiveUnit, naiveUnits } from './naive-units.ts';

// Judges the report and the output of salvage by the original, with readers that share no code with it.

export interface Original {
  bytes: Buffer;
  units: NaiveUnit[];
  /** All page records. */
  pages: NaivePage[];
  memory: ReadonlyMap<string, NaivePage>;
  /** Names of ranges by address, for version 6, which holds none. */
  names: ReadonlyMap<number, string>;
}

export interface Judged {
  /** Absent where nothing could be kept. */
  report?: SalvageReport;
  output: Buffer;
  /** The memory in it. */
  held: ReadonlyMap<string, NaivePage>;
  /** Faults of salvage's report and output. */
  faults: string[];
  /** Keys of the pages on its list. */
  lost: Set<string>;
  stale: Set<string>;
  /** Pages that are neither on the list nor as they were. */
  wrong: string[];
}

const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);

export function originalOf(bytes: Buffer, names: Original['names'] = new Map()): Original {
  const units = naiveUnits(bytes);
  const pages = naivePagesOf(units, names);
  return { bytes, units, pages, memory: naiveMemory(pages), names };
}

/** Bytes that are missing in a damaged file from `at` on; a negative number was put in. */
export interface Moved {
  at: number;
  by: number;
}

/** Salvages a damaged copy of `original` and compares what comes out. */
export async function judgeSalvage(
  original: Original,
  damaged: Buffer | ByteSource,
  options: SalvageOptions = {},
  moved: Moved = { at: 0, by: 0 },
): Promise<Judged> {
  const sink = new MemorySink();
  const judged: Judged = {
    output: Buffer.alloc(0),
    held: new Map(),
    faults: [],
    lost: new Set(),
    stale: new Set(),
    wrong: [],
  };
  try {
    judged.report = await salvage('read' in damaged ? damaged : bufferSource(damaged), sink, options);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return judged;
  }
  judged.output = Buffer.from(sink.view());
  const { verdict, findings } = await verify(bufferSource(judged.output));
  if (verdict !== 'whole')
    judged.faults.push(`the output is ${verdict}: ${findings.find(({ severity }) => severity === 'error')?.message}`);
  const units = naiveUnits(judged.output);
  judged.held = naiveMemory(naivePagesOf(units, original.names));
  judgeUnits(original, units, judged, moved);
  for (const run of judged.report.lost) for (const key of keysOf(run, original)) judged[run.what].add(key);
  judgePages(original.memory, judged, judged.report, options);
  return judged;
}

function judgeUnits(original: Original, written: readonly NaiveUnit[], { report, faults }: Judged, moved: Moved): void {
  if (!report) return;
  const placed = placesAfter(original, moved);
  const spoken = new Set([...report.kept, ...report.dropped].map(unitKey));
  for (const unit of original.units) {
    const { start, end } = placed(unit);
    const inGap = report.lostUnits.some((gap) => start <= gap.end && end >= gap.start);
    if (!spoken.has(unitKey(unit)) && !inGap && !report.cut)
      faults.push(`unit ${unit.name} is neither kept nor said to be lost`);
  }
  if (report.unproven) return;
  for (const unit of written) {
    // Live saves have several units of one name and pass.
    const alike = original.units.filter((own) => unitKey(own) === unitKey(unit));
    const isAsItWas = alike.length === 0 || alike.some(({ payload }) => payload.equals(unit.payload));
    if (unit.name !== 'pgm' && !isAsItWas) faults.push(`unit ${unit.name} is kept, but not as it was`);
  }
}

function unitKey({ name, instance, pass }: { name: string; instance: number; pass: string | number }): string {
  return `${name}/${instance} ${pass === NAIVE_FINAL ? 'final' : pass}`;
}

/**
 * Tells where the bytes of a unit stand in the damaged file. Where bytes around the removed ones are alike, nobody can
 * tell which of them are missing: then all places count.
 */
function placesAfter(
  { bytes, units }: Original,
  { at, by }: Moved,
): (unit: NaiveUnit) => { start: number; end: number } {
  // The file's own header holds no units, even where these are missing with it.
  const own = units[0]?.start ?? 0;
  let first = at;
  let last = at;
  while (by > 0 && first > 0 && bytes[first - 1] === bytes[first - 1 + by]) first--;
  while (by > 0 && last + by < bytes.length && bytes[last] === bytes[last + by]) last++;
  const after = (place: number, start: number) => Math.max(own, place < start ? place : Math.max(start, place - by));
  return ({ start, end }) => ({ start: after(start, first), end: after(end, last) });
}

function* keysOf({ group, range, start, end }: LostRun, { memory }: Original): Generator<string> {
  const kind = group.split(' ')[0];
  for (let place = start; place < end; place += PAGE) {
    const kinds =
      kind === 'unknown' ? ['RAM', 'ROM', 'shadow'].filter((own) => memory.has(naiveKey(own, '', place))) : [kind];
    for (const own of kinds) yield naiveKey(own, range, place);
  }
}

function judgePages(
  memory: Original['memory'],
  { held, lost, stale, faults, wrong }: Judged,
  report: SalvageReport,
  { fill }: SalvageOptions,
): void {
  const memoryIsGone = report.kept.every(({ name }) => name !== 'pgm');
  for (const [key, { content }] of memory) {
    const own = held.get(key);
    if (lost.has(key)) {
      if (!fill && own) faults.push(`${key} is on the list, but written`);
      if (fill && own?.content.equals(ZEROS) === false) faults.push(`${key} is on the list, but not filled with zeros`);
    } else if (stale.has(key)) {
      if (fill === 'zero' && own?.content.equals(ZEROS) === false)
        faults.push(`${key} is old, but not filled with zeros`);
    } else if (own && !own.content.equals(content)) wrong.push(key);
    else if (!own && !memoryIsGone && !report.untold) faults.push(`${key} is neither written nor on the list`);
  }
  for (const key of [...lost, ...stale])
    if (!memory.has(key)) faults.push(`${key} is on the list, but the original has no such page`);
}

/**
 * What a cut takes away: pages without any copy before it, and those with only a copy that has been, or may have been,
 * replaced after it. The ROMs themselves are never replaced.
 */
export function lostByCut({ pages, memory, units }: Original, cut: number): { lost: Set<string>; stale: Set<string> } {
  const before = naiveMemory(pages.filter(({ end }) => end <= cut));
  const final = units.filter(({ name }) => name === 'pgm').length - 1;
  const isWhole = cut >= (pages.at(-1)?.end ?? 0) + 1;
  const isOld = ({ pass, key }: NaivePage) => !isWhole && pass < final && !key.startsWith('ROM ');
  return {
    lost: new Set([...memory.keys()].filter((key) => !before.has(key))),
    stale: new Set([...before.values()].filter(isOld).map(({ key }) => key)),
  };
}

/** Pages whose bytes in the file, or the bytes that lead to them, are among `[from, to)`. */
export function touchedBy({ memory }: Original, from: number, to: number): string[] {
  return [...memory.values()].filter(({ start, end }) => start < to && end > from).map(({ key }) => key);
}
