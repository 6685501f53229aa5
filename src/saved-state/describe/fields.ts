import type { SavedState } from '../reading/state.ts';
import { describeState } from './describe.ts';
import { type Fields, flatten } from './flatten.ts';
import { headFields } from './head-fields.ts';

/** Fields about the file's format and directory, not about the machine. */
const FORM = [
  'units',
  'container.format',
  'container.gc',
  'container.streamCrc',
  'container.live',
  'container.size',
  'container.directoryEntries',
];
/** Fields of guest memory, which the heads of its units tell more fully. */
const MEMORY = ['memory'];
/** Values in the heads that the description of a CPU gives by other names. */
const TOLD_BY_CPUS = /^cpus\[\d+\]\.(a20Enabled|guestMode)$/;

/** All decoded values, without the contents of memory and the file's format. */
export function fieldsOf(state: SavedState): Fields {
  const fields: Fields = new Map();
  flatten(describeState(state), '', fields, [...FORM, ...MEMORY]);
  if (!state.pgm) return fields;
  for (const [name, value] of headFields(state.pgm)) if (!TOLD_BY_CPUS.test(name)) fields.set(name, value);
  return fields;
}

/** A decoded field that differs; absent on a side that does not have it. */
export interface FieldDifference {
  /** Path of the field. */
  field: string;
  /** Value in the first state, for people. Absent where the state has none. */
  a?: string;
  /** Value in the second state, for people. */
  b?: string;
}

/** Fields with two different values, and fields that only one side has. */
export function differingFields(a: Fields, b: Fields): FieldDifference[] {
  const differences: FieldDifference[] = [];
  for (const field of new Set([...a.keys(), ...b.keys()])) {
    const own = a.get(field);
    const other = b.get(field);
    if (own === other) continue;
    differences.push({ field, a: own, b: other });
  }
  return differences;
}
