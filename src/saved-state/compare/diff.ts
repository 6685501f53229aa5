import { isDeepStrictEqual } from 'node:util';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { GuestPhys } from '../../../formats/sizes.ts';
import { differingFields, type FieldDifference } from '../describe/fields.ts';
import type { Fingerprint } from '../hashing/fingerprint.ts';
import { type PageSpan, SpanHashes } from '../hashing/span-hashes.ts';
import { placeOfPages } from '../layout/range-names.ts';
import { isOfLiveSave } from '../reading/live-parts.ts';
import type { RangeNames, StateView } from '../reading/state-view.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { openSide } from './side.ts';

/** Neighbouring pages of one range that differ in the same way. */
export interface PageDifference extends PageSpan {
  /** Guest-physical, `[from, to)`; where the guest has not mapped the range: offsets into it. */
  from: GuestPhys;
  /** Exclusive. */
  to: GuestPhys;
  /** Whether the guest has mapped the range. */
  mapped: boolean;
}

/** Differences in one range of memory. */
export interface RangeDifference {
  /** Name of the range. */
  range: string;
  /** Pages with other contents. */
  changed: number;
  /** Pages that were zeros. */
  filled: number;
  /** Pages that have become zeros. */
  cleared: number;
  /** Ascending; not more than `MAX_RUNS`. */
  runs: PageDifference[];
  /** Only one of the states has such a range. */
  onlyIn?: 'a' | 'b';
}

/** Differences between two states. */
export interface StateDiff {
  /** Nothing that was compared differs. */
  equal: boolean;
  /** By `name/instance pass`. */
  units: { added: string[]; gone: string[]; changed: string[] };
  /** Decoded fields that differ. */
  fields: FieldDifference[];
  /** Ranges that differ. */
  memory: RangeDifference[];
  /** Parts that were not compared, with reasons. */
  notes: string[];
}

/** Runs listed for each range; counts go on. */
const MAX_RUNS = 10_000;

/** Options of a comparison. */
export interface DiffOptions extends Pick<WalkOptions, 'signal'> {
  /** Called with the state that is being read, and the offset reached in it. */
  onProgress?: (which: 'a' | 'b', offset: number) => void;
}

/**
 * Compares the contents of two states of any containers and versions: memory page by page, units byte for byte, heads
 * of guest memory and decoded fields value by value. The form is not compared: sizes, checksums, the way pages are
 * stored, and the description at the end of a stream of QEMU, which loaders do not need.
 * @throws FormatError when either is damaged
 */
export async function diffStates(a: ByteSource, b: ByteSource, options: DiffOptions = {}): Promise<StateDiff> {
  const sides = { a: await openSide(a), b: await openSide(b) };
  const notes: string[] = [];
  const flattens = sides.a.state.live !== sides.b.state.live;
  if (flattens) notes.push('one state is live, the other plain: only the last copy of each page is compared');
  const [own, other] = await fingerprintsOf(sides, flattens ? isOfLiveSave : undefined, options);
  const alike = own.state.family === other.state.family;
  if (!alike) notes.push('the states are of different families: only memory and registers are compared');
  const units = alike ? compareUnits(own.units, other.units) : { added: [], gone: [], changed: [] };
  const memory = compareMemory(own, other, sides.a.names, sides.b.names);
  const differing = differingFields(comparableFields(own.state, alike), comparableFields(other.state, alike));
  const [fields, untold] = haveSameForm(own.state, other.state) ? [differing, []] : split(differing);
  if (untold.length > 0) notes.push(`only in one of the states: ${untold.map(({ field }) => field).join(', ')}`);
  const equal = units.added.length + units.gone.length + units.changed.length + fields.length + memory.length === 0;
  return { equal, units, fields, memory, notes };
}

function compareUnits(a: Map<string, string>, b: Map<string, string>): StateDiff['units'] {
  return {
    added: [...b.keys()].filter((key) => !a.has(key)),
    gone: [...a.keys()].filter((key) => !b.has(key)),
    changed: [...a.keys()].filter((key) => b.has(key) && a.get(key) !== b.get(key)),
  };
}

/** Registers have the same names in all families. */
function comparableFields(state: StateView, alike: boolean): Map<string, string> {
  const fields = state.fields();
  return alike ? fields : new Map([...fields].filter(([name]) => /^cpus\[\d+\]\.registers\./.test(name)));
}

/** Whether both states have the same format and the same units in the same versions, and so the same fields. */
function haveSameForm(a: StateView, b: StateView): boolean {
  const unitsOf = ({ units }: StateView) =>
    new Set(units.map(({ name, instance, version }) => `${name}/${instance} ${version}`));
  return a.family === b.family && a.format === b.format && isDeepStrictEqual(unitsOf(a), unitsOf(b));
}

/**
 * Separates fields that only one state has, which are no differences: the version of the other may have no place for
 * them.
 */
function split(differences: FieldDifference[]): [FieldDifference[], FieldDifference[]] {
  const isTold = ({ a, b }: FieldDifference) => a !== undefined && b !== undefined;
  return [differences.filter(isTold), differences.filter((difference) => !isTold(difference))];
}

function compareMemory(
  a: Fingerprint<StateView>,
  b: Fingerprint<StateView>,
  namesA: RangeNames,
  namesB: RangeNames,
): RangeDifference[] {
  const differences: RangeDifference[] = [];
  for (const range of new Set([...a.memory.keys(), ...b.memory.keys()])) {
    const own = a.memory.get(range);
    const other = b.memory.get(range);
    const difference = compareRange(range, own ?? new SpanHashes(), other ?? new SpanHashes(), own ? namesA : namesB);
    if (!own || !other) difference.onlyIn = own ? 'a' : 'b';
    if (difference.runs.length > 0) differences.push(difference);
  }
  return differences;
}

function compareRange(range: string, a: SpanHashes, b: SpanHashes, names: RangeNames): RangeDifference {
  const difference: RangeDifference = { range, changed: 0, filled: 0, cleared: 0, runs: [] };
  for (const run of a.differences(b)) {
    difference[run.change] += run.end - run.start;
    if (difference.runs.length >= MAX_RUNS) continue;
    const { start, end, mapped } = placeOfPages(names, range, run.start, run.end);
    difference.runs.push({ ...run, from: start, to: end, mapped });
  }
  return difference;
}
