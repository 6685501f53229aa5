import type { ByteSource } from '../../formats/binary/source.ts';
import { hex, UnsupportedError, UsageError } from '../../formats/errors.ts';
import { elfCoreLayout, MAX_CORE_RANGES } from '../../formats/image/elf-core.ts';
import { type ImageLayout, type MemoryRange, rawLayout } from '../../formats/image/extents.ts';
import { limeLayout } from '../../formats/image/lime.ts';
import { hasRamInLowHole } from '../../formats/pgm/ranges.ts';
import { MIB, PAGE_SIZE } from '../../formats/units.ts';
import { ImageSink, type RandomSink } from './image-sink.ts';
import { type MemoryRegion, memoryMap } from './memory-map.ts';
import { GuestViewPlacement, Mmio2Placement, type Placement, RamPlacement, RomPlacement } from './placement.ts';
import type { SavedState } from './state.ts';
import { findMmio2, findRom, findUnit } from './unit-choice.ts';
import { type WalkOptions, walkState } from './walk.ts';

export type ImageFormat = 'raw' | 'sparse' | 'elf' | 'lime';

/** What to take out of a state. */
export interface ExtractOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** Default: `raw`. */
  format?: ImageFormat;
  /** Memory as the guest sees it: ROM and mapped device memory in their places. An ELF core always has them. */
  asSeen?: boolean;
  /** Only these guest-physical addresses, `[start, end)`; page aligned for `elf` and `lime`. */
  range?: MemoryRange;
  /** One ROM, by description: its virgin pages, with `asSeen` what the guest reads, with `shadow` the shadow pages. */
  rom?: string;
  shadow?: boolean;
  /** One MMIO2 range, by description or `device/instance/region`. */
  mmio2?: string;
  /** The payload of one unit: `name`, `name/instance`, `name/instance:pass`. */
  unit?: string;
}

/** What was taken out. */
export interface ExtractReport {
  what: 'memory' | 'rom' | 'mmio2' | 'unit';
  format: ImageFormat;
  /** Bytes of the output. */
  size: number;
  /** Guest-physical stretches in the output; empty for parts that have no address. */
  ranges: MemoryRange[];
}

/** An output that can be written anywhere and gets its final size at the end. */
export interface ImageTarget extends RandomSink {
  truncate(size: number): Promise<void>;
}

/**
 * Writes guest memory, or one part of a state, to `target`. The state is read twice: first its heads, which say where things lie, then its
 * contents, with every check. The caller must not use the target's contents before this has returned.
 *
 * @param source seekable
 * @throws FormatError for damage, UsageError for parts that the state does not have
 */
export async function extract(source: ByteSource, target: ImageTarget, options: ExtractOptions = {}): Promise<ExtractReport> {
  if (!source.seekable) throw new UsageError('not-seekable', `Cannot extract from ${source.name}: it has to be read twice, so it must be a file`);
  const { onProgress, signal } = options;
  const passing = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) };
  const state = await walkState(source, { skipCrc: true, ...(signal ? { signal } : {}) });
  if (options.unit !== undefined) return extractUnit(source, target, state, options.unit, passing);
  const plan = makePlan(state, options);
  for (const { offset, bytes } of plan.layout.fixed) await target.writeAt(bytes, offset);
  const sink = new ImageSink(target, plan.placement, plan.layout.size, plan.full ? 'write' : 'skip');
  await walkState(source, { ...passing, deep: true, sink });
  await sink.flush();
  if (plan.full) for (const { start, end } of plan.existing) await sink.fillUnwritten(start, end);
  sink.release();
  await target.truncate(plan.layout.size);
  return { what: plan.what, format: options.format ?? 'raw', size: plan.layout.size, ranges: plan.ranges };
}

interface Plan {
  what: ExtractReport['what'];
  layout: ImageLayout;
  placement: Placement;
  /** Guest-physical stretches in the image. */
  ranges: MemoryRange[];
  /** Pages of zeros are written, too. */
  full: boolean;
  /** Stretches of the image that hold memory, as file offsets; what lies between is no memory and stays a hole. */
  existing: MemoryRange[];
}

function makePlan(state: SavedState, options: ExtractOptions): Plan {
  const { pgm } = state;
  if (!pgm) throw new UnsupportedError('no-memory', 'Cannot extract memory: the state has no unit pgm');
  if (options.rom !== undefined) {
    const region = findRom(state, options.rom);
    const view = options.shadow ? 'shadow' : options.asSeen ? 'seen' : 'virgin';
    return planRegion('rom', region, new RomPlacement(region, view, pgm), options);
  }
  if (options.mmio2 !== undefined) {
    const region = findMmio2(state, options.mmio2);
    return planRegion('mmio2', region, new Mmio2Placement(region), options);
  }
  const regions = memoryMap(state);
  const format = options.format ?? 'raw';
  const isCore = format === 'elf';
  const shown = regions.filter(({ kind }) => kind === 'ram' || ((options.asSeen || isCore) && kind !== 'mmio'));
  const layout = layoutOf(state, regions, shown, options);
  const placement = options.asSeen || isCore ? new GuestViewPlacement(layout.extents, regions, pgm) : new RamPlacement(layout.extents);
  const existing =
    format === 'raw'
      ? layout.extents.flatMap((extent) => clip(shown, extent).map(({ start, end }) => shift({ start, end }, extent.offset - extent.start)))
      : [];
  const ranges = (format === 'raw' || format === 'sparse') && options.range ? [options.range] : layout.extents.map(({ start, end }) => ({ start, end }));
  return { what: 'memory', layout, placement, ranges, full: format === 'raw', existing };
}

function planRegion(what: 'rom' | 'mmio2', region: MemoryRegion, placement: Placement, options: ExtractOptions): Plan {
  if (options.range || (options.format ?? 'raw') === 'elf' || options.format === 'lime') {
    throw new UsageError('bad-combination', `Cannot extract ${what}: a single part has no address range and no other format than raw or sparse`);
  }
  const size = region.end - region.start;
  return { what, layout: { size, extents: [], fixed: [] }, placement, ranges: [], full: options.format !== 'sparse', existing: [{ start: 0, end: size }] };
}

function layoutOf(state: SavedState, regions: readonly MemoryRegion[], shown: readonly MemoryRegion[], options: ExtractOptions): ImageLayout {
  const { format = 'raw', range } = options;
  if (format === 'raw' || format === 'sparse') {
    const end = Math.max(0, ...shown.map((region) => region.end));
    return rawLayout(range ?? { start: 0, end });
  }
  const whole = range ?? { start: 0, end: Number.MAX_SAFE_INTEGER };
  if (range && (range.start % PAGE_SIZE !== 0 || range.end % PAGE_SIZE !== 0)) {
    throw new UsageError('bad-range', `Cannot extract ${hex(range.start)}-${hex(range.end)} as ${format}: the range must be page aligned`);
  }
  if (format === 'lime') return limeLayout(mergeNeighbours(clip(shown, whole)));
  const ranges = clip(splitRam(regions, state), whole).map((region) => ({ start: region.start, end: region.end, hasContents: region.kind !== 'mmio' }));
  if (ranges.length > MAX_CORE_RANGES) throw new UnsupportedError('too-many-ranges', `Cannot write ELF core: ${ranges.length} memory ranges`);
  return elfCoreLayout(ranges, { cpus: state.cpum?.cpus ?? [], apicBases: state.apicBases, release: state.header.release });
}

/** VirtualBox keeps RAM above 2 MiB in a range of its own since 6.1, and its cores show it. */
function splitRam(regions: readonly MemoryRegion[], state: SavedState): MemoryRegion[] {
  const splits = !hasRamInLowHole(state.header.release);
  const at = 2 * MIB;
  return regions.flatMap((region) =>
    splits && region.kind === 'ram' && region.start < at && region.end > at
      ? [
          { ...region, end: at },
          { ...region, start: at },
        ]
      : [region],
  );
}

/** The parts of ascending regions within a range, overlaps removed. */
function clip<R extends MemoryRange>(regions: readonly R[], range: MemoryRange): R[] {
  const clipped: R[] = [];
  let reached = range.start;
  for (const region of regions) {
    const start = Math.max(region.start, reached);
    const end = Math.min(region.end, range.end);
    if (start >= end) continue;
    clipped.push({ ...region, start, end });
    reached = end;
  }
  return clipped;
}

function shift({ start, end }: MemoryRange, by: number): MemoryRange {
  return { start: start + by, end: end + by };
}

function mergeNeighbours(ranges: readonly MemoryRange[]): MemoryRange[] {
  const merged: MemoryRange[] = [];
  for (const { start, end } of ranges) {
    const last = merged[merged.length - 1];
    if (last?.end === start) last.end = end;
    else merged.push({ start, end });
  }
  return merged;
}

async function extractUnit(source: ByteSource, target: ImageTarget, state: SavedState, name: string, options: WalkOptions): Promise<ExtractReport> {
  const wanted = findUnit(state, name);
  let size = 0;
  const payload = {
    wants: (unit: { offset: number }) => unit.offset === wanted.offset,
    async take(piece: Uint8Array) {
      await target.writeAt(piece, size);
      size += piece.length;
    },
  };
  await walkState(source, { ...options, deep: true, opaque: true, payload });
  await target.truncate(size);
  return { what: 'unit', format: 'raw', size, ranges: [] };
}
