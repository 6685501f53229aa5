import { hex } from '../../../formats/errors.ts';
import { headFields } from '../describe/head-fields.ts';
import type { Fingerprint } from '../hashing/fingerprint.ts';
import type { PageSpan } from '../hashing/span-hashes.ts';

/** A difference between a written state and its source. */
export interface ProofDifference {
  /** Name of the part that differs. */
  what: string;
  /** The part in the source, as text. */
  source: string;
  /** The part in the result, as text. */
  written: string;
}

/** Result of reading a converted state back. */
export interface Proof {
  /** Nothing differs except by wish of the user. */
  equal: boolean;
  /** Ranges of memory that were compared page by page. */
  ranges: number;
  /** Units that were compared byte for byte. */
  units: number;
  /** Further differences; empty where nothing else differs. */
  differences: ProofDifference[];
}

const MAX_RUNS_NAMED = 8;

/** @param losses whether the conversion was allowed to lose fields, which it has listed */
export function compareStates(source: Fingerprint, written: Fingerprint, losses: boolean): Proof {
  const differences = [
    ...compareMemory(source.memory, written.memory),
    ...compareUnits(source.units, written.units),
    ...compareStateFields(source, written, losses),
  ];
  return { equal: differences.length === 0, ranges: source.memory.size, units: written.units.size, differences };
}

/** Compares memory, range by range and page by page. */
export function compareMemory(source: Fingerprint['memory'], written: Fingerprint['memory']): ProofDifference[] {
  const differences: ProofDifference[] = [];
  for (const range of new Set([...source.keys(), ...written.keys()])) {
    const own = source.get(range);
    const other = written.get(range);
    if (!own || !other) {
      differences.push({ what: range, source: own ? 'there' : 'missing', written: other ? 'there' : 'missing' });
      continue;
    }
    const runs = firstOf(own.differences(other), MAX_RUNS_NAMED);
    if (runs.length > 0)
      differences.push({
        what: range,
        source: '',
        written: `pages ${runs.map(runText).join(', ')}${runs.length === MAX_RUNS_NAMED ? ', …' : ''} differ`,
      });
  }
  return differences;
}

function runText({ start, end }: PageSpan): string {
  return end === start + 1 ? hex(start) : `${hex(start)}–${hex(end - 1)}`;
}

function firstOf<T>(values: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const value of values) if (first.push(value) === count) break;
  return first;
}

/** Version and payload of each unit but the one with memory. */
export function compareUnits(source: Fingerprint['units'], written: Fingerprint['units']): ProofDifference[] {
  const differences: ProofDifference[] = [];
  for (const key of new Set([...source.keys(), ...written.keys()])) {
    const own = source.get(key) ?? 'missing';
    const other = written.get(key) ?? 'missing';
    if (own !== other) differences.push({ what: `unit ${key}`, source: own, written: other });
  }
  return differences;
}

/** Fields that an older version can't hold; the plan has listed them as losses if they held anything. */
const LOSSY = /^memory\.(balloonedPages|mapping)|^cpus\[\d+\]\.paePds/;
/** Fields of versions with lists of ROMs and MMIO2 ranges. Others are compared by the names of the ranges. */
const OF_LISTS = /^memory\.(ramHole|roms|mmio2|romProtection)/;
/** Fields that versions hold in ways of their own. */
const OF_ONE_VERSION = /^memory\.(ranges|syncFlags)/;
const RAM_SIZE = /^memory\.ramSize$/;
const RAM_HOLE = /^memory\.ramHole$/;

/**
 * Compares the heads of the pgm unit and the release in the file header: hashes of memory and payloads don't cover
 * them.
 */
function compareStateFields(source: Fingerprint, written: Fingerprint, losses: boolean): ProofDifference[] {
  const [own, other] = [source.state.pgm, written.state.pgm];
  const leavesOut = [
    ...(own?.config && other?.config ? [] : [OF_LISTS]),
    ...(own?.version === other?.version ? [] : [OF_ONE_VERSION]),
    // Sizes that a source does not tell are made out as it is written.
    ...(own?.ramSize === undefined ? [RAM_SIZE] : []),
    ...(own?.config?.ramHole === undefined ? [RAM_HOLE] : []),
  ];
  const mayDiffer = (what: string, found: string | undefined) => losses && (found === undefined || LOSSY.test(what));
  return compareFields(comparedFields(source, leavesOut), comparedFields(written, leavesOut), mayDiffer);
}

/** Compares values by name. @param mayDiffer whether a written value may differ */
export function compareFields(
  source: ReadonlyMap<string, string>,
  written: ReadonlyMap<string, string>,
  mayDiffer: (what: string, found: string | undefined) => boolean = () => false,
): ProofDifference[] {
  const differences: ProofDifference[] = [];
  for (const what of new Set([...source.keys(), ...written.keys()])) {
    const value = source.get(what);
    const found = written.get(what);
    if (found === value || mayDiffer(what, found)) continue;
    differences.push({ what, source: value ?? 'missing', written: found ?? 'missing' });
  }
  return differences;
}

function comparedFields({ state }: Fingerprint, leavesOut: readonly RegExp[]): Map<string, string> {
  const { header, pgm, cpum } = state;
  const heads = pgm ? [...headFields(pgm)] : [];
  const fields = new Map(heads.filter(([name]) => !leavesOut.some((names) => names.test(name))));
  if (header.release) fields.set('release', JSON.stringify(header.release));
  fields.set(
    'registers',
    JSON.stringify(cpum?.cpus.map(({ cr0, cr2, cr3, cr4, efer }) => [cr0, cr2, cr3, cr4, efer].map(hex)) ?? []),
  );
  return fields;
}
