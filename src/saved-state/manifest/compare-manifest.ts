import type { DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import {
  EnvironmentError,
  FormatError,
  hex,
  InterruptedError,
  type Place,
  SavkitError,
} from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { Turns } from '../../../formats/turns.ts';
import { differingFields } from '../describe/fields.ts';
import { expectMemory, familyOf, readState } from '../families/read-state.ts';
import { hashMemory } from '../hashing/fingerprint.ts';
import { SpanHashes } from '../hashing/span-hashes.ts';
import { placeOfPages } from '../layout/range-names.ts';
import { type Finding, Findings } from '../reading/findings.ts';
import type { RangeNames, StateView } from '../reading/state-view.ts';
import { stepOf } from '../reading/step.ts';
import { BLOCK_SIZE, type FileHashes, type FileStretch, hashFile } from './file-hashes.ts';
import { rootOfRanges, treeRoot } from './hash-tree.ts';
import { type Manifest, type ManifestOptions, rootText } from './manifest.ts';

/** Differences of a state from its manifest. */
export interface ManifestReport {
  /**
   * The file is, byte for byte, the one that the manifest was made of; and all other parts of the state are as they
   * were: files of RAM beside it, the choice among several states in it.
   */
  same: boolean;
  /** Differences: stretches of the file, units, fields, pages. */
  findings: Finding[];
  /** Findings beyond those that are listed. */
  droppedFindings: number;
}

/**
 * Filler of a block that can't be decompressed. Real pages of this byte alone are rare, and such a block is reported in
 * any case.
 */
const PATCH = 0xdb;

/** Options for a comparison with a manifest. */
export interface ManifestCompareOptions extends ManifestOptions {
  /** The state in the file, where an earlier reading has found it. */
  state?: StateView | undefined;
}

/**
 * Compares a file with the manifest that was made of it. @throws FormatError `bad-manifest` for a manifest that
 * contradicts itself, UsageError `ram-elsewhere` if only RAM in another file could tell a difference
 */
export async function compareWithManifest(
  source: ByteSource,
  manifest: Manifest,
  options: ManifestCompareOptions = {},
): Promise<ManifestReport> {
  const { signal, onProgress } = options;
  const wanted = await expectedMemory(manifest, Turns.rare(signal));
  const stretches = manifest.units.map(({ offset, size }) => ({ start: offset, end: offset + size }));
  const file = await hashFile(source, stretches, {
    ...stepOf({ signal, onProgress }, 'hashing'),
  });
  const findings = new Findings();
  const bytesAreSame = file.sha256 === manifest.file.sha256 && file.size === manifest.file.size;
  if (!bytesAreSame) compareBytes(manifest, file, findings);
  if (!bytesAreSame || (await isMoreThanFile(source, options)))
    await compareContents(source, manifest, wanted, findings, options);
  return {
    same: bytesAreSame && findings.list.length === 0,
    findings: findings.list,
    droppedFindings: findings.dropped,
  };
}

/** Whether the same file can give other contents. @throws UsageError `ram-elsewhere` if its RAM is nowhere to be had */
async function isMoreThanFile(source: ByteSource, { signal, state }: ManifestCompareOptions): Promise<boolean> {
  if (source.part !== undefined) return true;
  const { family } = await familyOf(source);
  if (family.name !== 'qemu') return false;
  expectMemory(state ?? (await readState(source, { signal, skipCrc: true, onDamage: () => {} })));
  return (source.ram ?? []).length > 0;
}

/** Hashes between two looks at the clock. */
const HASHES_A_LOOK = 1024;

/** The page hashes of a manifest, by range. The manifest's roots prove that it is whole. */
async function expectedMemory({ memory }: Manifest, turns: Turns): Promise<Map<string, SpanHashes>> {
  const roots = new Map<string, bigint>();
  const ranges = new Map<string, SpanHashes>();
  for (const { name, root, runs } of memory.ranges) {
    const pages = new SpanHashes();
    for (const { page, hashes } of runs) {
      for (let i = 0; i < hashes.length; i++) {
        pages.set(page + i, hashes[i]);
        if (i % HASHES_A_LOOK === 0 && turns.areDue) await turns.give();
      }
    }
    roots.set(name, treeRoot(pages));
    if (rootText(roots.get(name) ?? 0n) !== root) throw damagedManifest(`the hashes of ${name} do not give its root`);
    ranges.set(name, pages);
  }
  if (rootText(rootOfRanges(roots)) !== memory.root) throw damagedManifest('its ranges do not give its root');
  return ranges;
}

function damagedManifest(what: string): FormatError {
  return new FormatError('bad-manifest', `Cannot trust manifest: ${what}`);
}

function compareBytes(manifest: Manifest, file: FileHashes, findings: Findings): void {
  if (file.size !== manifest.file.size) {
    report(findings, 'manifest-size', `The file has ${file.size} bytes, it had ${manifest.file.size}`, {
      offset: Math.min(file.size, manifest.file.size),
    });
  }
  let next = 0;
  for (const { start, end } of differingStretches(manifest, file)) {
    const { units } = manifest;
    while (next < units.length && units[next].offset + units[next].size <= start) next++;
    const touched = new Set<string>();
    for (let i = next; i < units.length && units[i].offset < end; i++)
      touched.add(`${units[i].name}/${units[i].instance}`);
    report(
      findings,
      'manifest-bytes',
      `Bytes have changed from ${hex(start)} to ${hex(end)}${whereText([...touched])}`,
      { offset: start },
    );
  }
  for (const [i, unit] of manifest.units.entries()) {
    if (file.stretches[i] === unit.sha256) continue;
    const { name, instance, pass, version, offset } = unit;
    report(findings, 'manifest-unit', `Unit ${name}/${instance} is not as it was`, {
      unit: name,
      instance,
      pass,
      version,
      offset,
    });
  }
}

const MAX_UNITS_NAMED = 64;

function whereText(units: readonly string[]): string {
  if (units.length === 0) return '';
  return `, in unit ${units.slice(0, MAX_UNITS_NAMED).join(', ')}${units.length > MAX_UNITS_NAMED ? ', …' : ''}`;
}

/** Neighbouring blocks of the file whose hashes are not the manifest's. */
function differingStretches({ file: { blocks, size } }: Manifest, file: FileHashes): FileStretch[] {
  const stretches: FileStretch[] = [];
  for (let i = 0; i < Math.min(blocks.length, file.blocks.length); i++) {
    if (blocks[i] === file.blocks[i]) continue;
    const last = stretches.at(-1);
    const end = Math.min((i + 1) * BLOCK_SIZE, size);
    if (last?.end === i * BLOCK_SIZE) last.end = end;
    else stretches.push({ start: i * BLOCK_SIZE, end });
  }
  return stretches;
}

/** Reads as much of the damaged state as can be read and names pages and fields. */
async function compareContents(
  source: ByteSource,
  manifest: Manifest,
  wanted: ReadonlyMap<string, SpanHashes>,
  findings: Findings,
  { signal, onProgress }: ManifestOptions,
): Promise<void> {
  const tolerant = { onDamage: () => {}, patchWith: PATCH, signal };
  try {
    const names = expectMemory(await readState(source, { ...tolerant, skipCrc: true })).names;
    const { state, memory } = await hashMemory(
      readState,
      source,
      {
        of: 'content',
        naming: names.naming,
        ...stepOf({ signal, onProgress }, 'reading'),
      },
      tolerant,
    );
    for (const { field, a, b } of differingFields(new Map(Object.entries(manifest.fields)), state.fields())) {
      // Manifests by earlier savkits tell fewer fields.
      if (a === undefined) continue;
      report(findings, 'manifest-field', `${field} was ${a}, is ${b ?? 'not there, or cannot be read'}`, { field });
    }
    for (const [range, pages] of wanted)
      comparePages(
        range,
        pages,
        memory.get(range) ?? new SpanHashes(),
        { names, unit: state.family.memoryUnit },
        findings,
      );
    for (const range of memory.keys())
      if (!wanted.has(range)) report(findings, 'manifest-page', `${range} was not there`, {});
  } catch (error) {
    if (!(error instanceof SavkitError) || error instanceof EnvironmentError || error instanceof InterruptedError)
      throw error;
    findings.addError(error);
  }
}

interface MemoryPlaces {
  names: RangeNames;
  /** The unit that holds memory. */
  unit: { name: string; instance: number };
}

function comparePages(range: string, was: SpanHashes, is: SpanHashes, places: MemoryPlaces, findings: Findings): void {
  const { names, unit } = places;
  for (const { start, end, change } of was.differences(is)) {
    const place = placeOfPages(names, range, start, end);
    const isOne = end - start === 1;
    const pages = isOne
      ? `Page ${hex(place.start)}`
      : `${end - start} pages in [${hex(place.start)}, ${hex(place.end)})`;
    const where = place.mapped ? range : `${range} (offset)`;
    const changed = isOne ? 'is not as it was' : 'are not as they were';
    const what = change === 'cleared' ? `cannot be read, or ${isOne ? 'holds' : 'hold'} zeros now` : changed;
    report(findings, 'manifest-page', `${pages} of ${where} ${what}`, {
      unit: unit.name,
      instance: unit.instance,
      gcPhys: place.mapped ? place.start : undefined,
    });
  }
}

function report(findings: Findings, code: DifferenceCode, message: string, place: Place): void {
  findings.add({ severity: 'error', code, message, place });
}
