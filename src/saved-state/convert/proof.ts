import { hex } from '../../../formats/errors.ts';
import type { Fingerprint } from '../hashing/fingerprint.ts';
import type { PageSpan } from '../hashing/span-hashes.ts';
import type { PgmSummary } from '../reading/state.ts';

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
  /** Empty where nothing else differs. */
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
const LOSSY = ['ballooned', 'PAE page directories', 'mappings'];

/**
 * Compares the heads of the pgm unit and the release in the file header: hashes of memory and payloads don't cover
 * them.
 */
function compareStateFields(source: Fingerprint, written: Fingerprint, losses: boolean): ProofDifference[] {
  // Lists of ROMs and MMIO2 are compared if both have them; else the names of the memory ranges are.
  const lists = source.state.pgm?.config !== undefined && written.state.pgm?.config !== undefined;
  const mayDiffer = (what: string, found: string | undefined) =>
    losses && (found === undefined || LOSSY.some((field) => what.startsWith(field)));
  return compareFields(fieldsOf(source, lists), fieldsOf(written, lists), mayDiffer);
}

/** Compares the values of the source, by name. @param mayDiffer whether a written value may differ */
export function compareFields(
  source: ReadonlyMap<string, string>,
  written: ReadonlyMap<string, string>,
  mayDiffer: (what: string, found: string | undefined) => boolean = () => false,
): ProofDifference[] {
  const differences: ProofDifference[] = [];
  for (const [what, value] of source) {
    const found = written.get(what);
    if (found === value || mayDiffer(what, found)) continue;
    differences.push({ what, source: value, written: found ?? 'missing' });
  }
  return differences;
}

function fieldsOf({ state: { header, pgm, cpum } }: Fingerprint, lists: boolean): Map<string, string> {
  const fields = new Map<string, string>();
  if (header.release) fields.set('release', JSON.stringify(header.release));
  fields.set(
    'registers',
    JSON.stringify(cpum?.cpus.map(({ cr0, cr2, cr3, cr4, efer }) => [cr0, cr2, cr3, cr4, efer].map(hex)) ?? []),
  );
  if (pgm) addPgmFields(pgm, fields, lists);
  return fields;
}

function addPgmFields(
  { basic, config, ramSize, romProtection }: PgmSummary,
  fields: Map<string, string>,
  lists: boolean,
): void {
  if (ramSize !== undefined) fields.set('RAM size', String(ramSize));
  if (lists && config?.ramHole !== undefined) fields.set('RAM hole', String(config.ramHole));
  if (config && lists) {
    fields.set('ROM list', JSON.stringify(config.roms));
    fields.set('MMIO2 list', JSON.stringify(config.mmio2));
    fields.set('ROM protection', protectionsText(romProtection));
  }
  if (!basic) return;
  for (const [i, cpu] of basic.cpus.entries()) {
    fields.set(`VCPU ${i} A20`, `${cpu.a20Enabled} ${hex(cpu.a20Mask)}`);
    fields.set(`VCPU ${i} guest mode`, String(cpu.guestMode));
    fields.set(`PAE page directories of VCPU ${i}`, cpu.paePds.map(hex).join(' '));
  }
  fields.set('ballooned pages', String(basic.balloonedPages));
  fields.set(
    'mappings',
    `${basic.mappingsFixed} ${hex(basic.mappingFixed)} ${basic.mappingFixedSize} ` +
      `${basic.mappings.map((m) => `${m.description} ${hex(m.address)} ${hex(m.pageTables)}`).join('; ')}`,
  );
}

/**
 * Protections as text: by id, since records come in any order, and without the zeros after the last page that a record
 * names.
 */
function protectionsText(romProtection: PgmSummary['romProtection']): string {
  const texts = [...romProtection]
    .sort(([a], [b]) => a - b)
    .map(
      ([id, pages]) =>
        `${id}: ${Buffer.from(pages)
          .toString('hex')
          .replace(/(00)+$/, '')}`,
    );
  return texts.join('; ');
}
