import type { SavedState } from '../reading/state.ts';
import { describeState } from './describe.ts';

/** Decoded values of a state by name, such as `cpus[0].registers.rip`, as text. */
export type Fields = Map<string, string>;

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
/** Fields of lists of ranges and of page records, which are compared by themselves. */
const RANGES = [
  'memory.pgmVersion',
  'memory.ramPages',
  'memory.map',
  'memory.roms',
  'memory.mmio2',
  'memory.records',
  'memory.passes',
];

/** All decoded values, without memory and the file's format. */
export function fieldsOf(state: SavedState): Fields {
  const fields: Fields = new Map();
  flatten(describeState(state), '', fields);
  return fields;
}

function flatten(value: unknown, name: string, fields: Fields): void {
  if ([...FORM, ...RANGES].some((prefix) => name.startsWith(prefix))) return;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) flatten(item, `${name}[${i}]`, fields);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) flatten(item, name === '' ? key : `${name}.${key}`, fields);
  } else if (value !== undefined) fields.set(name, String(value));
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
