import { FormatError, type Pass, UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { systemDate } from '../../../formats/world/waiting.ts';
import { expectMemory, readState } from '../families/read-state.ts';
import { hashMemory } from '../hashing/fingerprint.ts';
import type { SpanHashes } from '../hashing/span-hashes.ts';
import type { UnitSummary } from '../reading/state.ts';
import type { StateView } from '../reading/state-view.ts';
import { stepOf } from '../reading/step.ts';
import type { WalkOptions } from '../reading/walk.ts';
import type { FileHashes, FileStretch } from './file-hashes.ts';
import { HashBeside } from './hash-beside.ts';
import { rootOfRanges, treeRoot } from './hash-tree.ts';

/** Hashes and facts of a good state, with which later damage can be located. */
export interface Manifest {
  manifest: 'savkit/manifest/1';
  /** Time at which it was made, ISO 8601. */
  created: string;
  /** The file as a whole. */
  file: { name: string; size: number; sha256: string; blocks: BigUint64Array };
  /** Version of the container. */
  container: string;
  /** VirtualBox's version that wrote the state; absent if the state does not tell. */
  release?: string;
  /** Units in the order of the file. */
  units: ManifestUnit[];
  /** Decoded values by name. */
  fields: Record<string, string>;
  /** Hashes of guest memory. */
  memory: { root: string; ranges: ManifestRange[] };
}

/** Hash of one unit. */
export interface ManifestUnit {
  /** Name of the unit. */
  name: string;
  /** Number among units of one name. */
  instance: number;
  /** Version of the payload. */
  version: number;
  /** The pass that wrote it. */
  pass: Pass;
  /** Offset of its header in the file. */
  offset: number;
  /** Bytes in the file, header included. */
  size: number;
  /** SHA-256 of these bytes. */
  sha256: string;
}

/** Hashes of one range of memory. */
export interface ManifestRange {
  /** Name of the range. */
  name: string;
  /** Root of the range's hash tree, as hexadecimal text. */
  root: string;
  /** Pages with contents: xxh64 of each, from page `page` on. All other pages are zero. */
  runs: { page: number; hashes: BigUint64Array }[];
}

/** Options of `makeManifest`. */
export interface ManifestOptions extends Pick<WalkOptions, 'signal'> {
  /** Threads to work with; default: two for large files, where a processor is idle. */
  threads?: number;
  /** Called with the offset reached in the file. */
  onProgress?: (doing: 'reading' | 'hashing', offset: number) => void;
}

/** Stands before the container's version in a manifest. */
const CONTAINER_PREFIX = { virtualbox: '', qemu: 'QEMU ' } as const;

/** Makes the manifest of a whole state. @throws FormatError for a damaged one, UsageError `not-seekable` */
export async function makeManifest(source: ByteSource, options: ManifestOptions = {}): Promise<Manifest> {
  if (!source.seekable)
    throw new UsageError('not-seekable', `Cannot make a manifest of ${source.name}: it has to be read several times`);
  const looked = await readState(source, { signal: options.signal, skipCrc: true });
  const { missing } = looked.memory ?? {};
  if (missing !== undefined) throw new FormatError('pages-missing', `Cannot make a manifest: ${missing}`);
  const units = looked.unitsHavePlaces ? looked.units : [];
  const beside = new HashBeside(source, units.map(stretchOf), options.threads);
  try {
    const { state, memory } = await hashMemory(readState, source, {
      of: 'content',
      naming: expectMemory(looked).names.naming,
      ...stepOf(options, 'reading'),
    });
    return describe(source, state, memory, await beside.result(stepOf(options, 'hashing')));
  } finally {
    await beside.dismiss();
  }
}

function describe(
  { name }: ByteSource,
  state: StateView,
  memory: ReadonlyMap<string, SpanHashes>,
  { size, sha256, blocks, stretches }: FileHashes,
): Manifest {
  const { family, format, release } = state;
  return {
    manifest: 'savkit/manifest/1',
    created: systemDate().toISOString(),
    file: { name, size, sha256, blocks },
    container: `${CONTAINER_PREFIX[family.name]}${format}`,
    release,
    units: (state.unitsHavePlaces ? state.units : []).map((unit, i) => describeUnit(unit, stretches[i])),
    fields: Object.fromEntries(state.fields()),
    memory: describeMemory(memory),
  };
}

function stretchOf({ offset, size }: UnitSummary): FileStretch {
  return { start: offset, end: offset + size };
}

function describeUnit({ name, instance, version, pass, offset, size }: UnitSummary, sha256: string): ManifestUnit {
  return { name, instance, version, pass, offset, size, sha256 };
}

function describeMemory(memory: ReadonlyMap<string, SpanHashes>): Manifest['memory'] {
  const roots = new Map([...memory].map(([name, pages]) => [name, treeRoot(pages)]));
  const ranges = [...memory].map(([name, pages]) => ({
    name,
    root: rootText(roots.get(name) ?? 0n),
    runs: [...pages.runs()].map(({ page, hashes }) => ({ page, hashes: hashes.slice() })),
  }));
  return { root: rootText(rootOfRanges(roots)), ranges };
}

export function rootText(root: bigint): string {
  return root.toString(16).padStart(16, '0');
}
