import { hex, UnsupportedError, UsageError } from '../../../formats/errors.ts';
import { MAX_SEGMENTS } from '../../../formats/image/elf.ts';
import { elfCoreLayout } from '../../../formats/image/elf-core.ts';
import { type ImageLayout, type MemoryRange, rawLayout } from '../../../formats/image/extents.ts';
import { limeLayout } from '../../../formats/image/lime.ts';
import { vboxCoreLayout } from '../../../formats/image/vbox-core.ts';
import { hasRamInLowHole, MAX_RAM } from '../../../formats/pgm/ranges.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { Release } from '../../../formats/ssm/container.ts';
import { mapCore } from '../guest/core-maps.ts';
import type { GuestKernel } from '../guest/guest-kernel.ts';
import { GuestViewPlacement, Mmio2Placement, type Placement, RamPlacement, RomPlacement } from '../layout/placement.ts';
import { findMmio2, findRom } from '../layout/unit-choice.ts';
import type { MemoryRegion } from '../reading/memory-region.ts';
import type { StateView } from '../reading/state-view.ts';

export const IMAGE_FORMATS = ['raw', 'sparse', 'elf', 'vbox-core', 'lime'] as const;
/** `elf`: a core that debuggers and crash tools read; `vbox-core`: a core as VirtualBox writes it. */
export type ImageFormat = (typeof IMAGE_FORMATS)[number];

/** Part of a state to extract. */
export interface ExtractPart {
  /** Default: `raw`. */
  format?: ImageFormat;
  /** Memory as the guest sees it: ROM and mapped device memory in their places. Cores always have them. */
  asSeen?: boolean;
  /** Only these guest-physical addresses, `[start, end)`; page aligned for cores and `lime`. */
  range?: MemoryRange;
  /**
   * One ROM, by description: its virgin pages; with `asSeen` the bytes that the guest reads, with `shadow` the shadow
   * pages.
   */
  rom?: string;
  /** Of a ROM: the shadow pages in place of the virgin ones. */
  shadow?: boolean;
  /** One MMIO2 range, by description or `device/instance/region`. */
  mmio2?: string;
  /** The payload of one unit: `name`, `name/instance`, `name/instance:pass`. */
  unit?: string;
}

/** Places of all parts in the output. */
export interface ExtractPlan {
  what: 'memory' | 'rom' | 'mmio2';
  layout: ImageLayout;
  placement: Placement;
  /** Guest-physical stretches in the image. */
  ranges: MemoryRange[];
  /** Pages of zeros are written, too. */
  full: boolean;
  /** Stretches of the image that hold memory, as file offsets; the rest is no memory and stays a hole. */
  existing: MemoryRange[];
  /** Cores: false if there is no room for all virtual addresses of memory. */
  allAddresses: boolean;
  /** Reason why a core has no registers. */
  registersMissing?: string;
  /** Reason why memory may lie at other addresses. */
  uncertain?: string;
  /** Pages that are missing. */
  missing?: string;
}

/**
 * @param kernel for `elf`: facts about the guest's kernel
 * @throws UsageError for parts that the state does not have, UnsupportedError for a state without memory, or a core of
 * CPUs other than x86
 */
export function planExtraction(
  state: StateView,
  options: ExtractPart,
  kernel: GuestKernel = { stretches: [], complete: true },
): ExtractPlan {
  const { family, memory } = state;
  if (!memory)
    throw new UnsupportedError('no-memory', `Cannot extract memory: the state has no unit ${family.memoryUnit.name}`);
  if (options.rom !== undefined) {
    const region = findRom(memory.roms, options.rom);
    const view = options.shadow ? 'shadow' : options.asSeen ? 'seen' : 'virgin';
    return planRegion('rom', region, new RomPlacement(region, view, memory.romProtection), options);
  }
  if (options.mmio2 !== undefined) {
    const region = findMmio2(memory.mmio2, options.mmio2);
    return planRegion('mmio2', region, new Mmio2Placement(region), options);
  }
  if (memory.elsewhere !== undefined)
    throw new UsageError('ram-elsewhere', `Cannot extract memory: ${memory.elsewhere}`);
  const { regions } = memory;
  expectBelievable(regions);
  const format = options.format ?? 'raw';
  const isCore = format === 'elf' || format === 'vbox-core';
  if (isCore && state.cpus.isForeign)
    throw new UnsupportedError(
      'other-architecture',
      'Cannot extract a core: the CPUs of the machine are not x86; raw, sparse and lime know no CPUs',
    );
  const shown = regions.filter(({ kind }) => kind === 'ram' || ((options.asSeen || isCore) && kind !== 'mmio'));
  const { layout, allAddresses = true } = layoutOf(state, regions, shown, options, kernel);
  const placement =
    options.asSeen || isCore
      ? new GuestViewPlacement(layout.extents, regions, memory.romProtection)
      : new RamPlacement(layout.extents);
  const existing =
    format === 'raw'
      ? layout.extents.flatMap((extent) =>
          clip(shown, extent).map(({ start, end }) => shift({ start, end }, extent.offset - extent.start)),
        )
      : [];
  const ranges =
    (format === 'raw' || format === 'sparse') && options.range
      ? [options.range]
      : layout.extents.map(({ start, end }) => ({ start, end }));
  const note = isCore ? state.cpus.missing : undefined;
  const missing = note === undefined ? {} : { registersMissing: note };
  const { uncertain, missing: pages } = memory;
  const places = uncertain === undefined ? {} : { uncertain };
  const lost = pages === undefined ? {} : { missing: pages };
  const full = format === 'raw';
  return { what: 'memory', layout, placement, ranges, full, existing, allAddresses, ...missing, ...places, ...lost };
}

function planRegion(
  what: 'rom' | 'mmio2',
  region: MemoryRegion,
  placement: Placement,
  options: ExtractPart,
): ExtractPlan {
  const { format = 'raw' } = options;
  if (options.range || (format !== 'raw' && format !== 'sparse')) {
    throw new UsageError(
      'bad-combination',
      `Cannot extract ${what}: a single part has no address range and no other format than raw or sparse`,
    );
  }
  const size = region.end - region.start;
  return {
    what,
    layout: { size, extents: [], fixed: [] },
    placement,
    ranges: [],
    full: format !== 'sparse',
    existing: [{ start: 0, end: size }],
    allAddresses: true,
  };
}

interface PlannedLayout {
  layout: ImageLayout;
  allAddresses?: boolean;
}

function layoutOf(
  state: StateView,
  regions: readonly MemoryRegion[],
  shown: readonly MemoryRegion[],
  { format = 'raw', range }: ExtractPart,
  kernel: GuestKernel,
): PlannedLayout {
  if (format === 'raw' || format === 'sparse') {
    const end = Math.max(0, ...shown.map((region) => region.end));
    return { layout: rawLayout(range ?? { start: 0, end }) };
  }
  const whole = range ?? { start: 0, end: Number.MAX_SAFE_INTEGER };
  if (range && (range.start % PAGE_SIZE !== 0 || range.end % PAGE_SIZE !== 0)) {
    throw new UsageError(
      'bad-range',
      `Cannot extract ${hex(range.start)}-${hex(range.end)} as ${format}: the range must be page aligned`,
    );
  }
  const cpus = state.cpus.registers;
  if (format === 'vbox-core') {
    if (!state.vboxCore)
      throw new UnsupportedError(
        'not-virtualbox',
        `Cannot write a core of VirtualBox from a state of ${state.family.title}: use --format elf`,
      );
    const { apicBases, release } = state.vboxCore;
    const ranges = clip(splitRam(regions, release), whole).map(({ start, end, kind }) => ({
      start,
      end,
      hasContents: kind !== 'mmio',
    }));
    checkCount(ranges.length);
    return { layout: vboxCoreLayout(ranges, { cpus, apicBases, release }) };
  }
  const ranges = mergeNeighbours(clip(shown, whole));
  if (format === 'lime') return { layout: limeLayout(ranges) };
  checkCount(ranges.length);
  const { stretches, complete } = mapCore(ranges, kernel, cpus);
  return {
    layout: elfCoreLayout(ranges, stretches, { cpus, vmcoreinfo: kernel.vmcoreinfo?.text }),
    allAddresses: complete,
  };
}

function checkCount(ranges: number): void {
  if (ranges > MAX_SEGMENTS)
    throw new UnsupportedError('too-many-ranges', `Cannot write ELF core: ${ranges} memory ranges`);
}

function expectBelievable(regions: readonly MemoryRegion[]): void {
  const size = regions.reduce((sum, { kind, start, end }) => (kind === 'ram' ? sum + end - start : sum), 0);
  if (size > MAX_RAM)
    throw new UnsupportedError(
      'too-much-memory',
      `Cannot extract memory: the state claims ${size} bytes of RAM, machines have ${MAX_RAM} at most`,
    );
}

/** Splits RAM at 2 MiB: since 6.1 VirtualBox keeps the RAM above in a range of its own, and its cores show that. */
function splitRam(regions: readonly MemoryRegion[], release: Release | undefined): MemoryRegion[] {
  const splits = !hasRamInLowHole(release);
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
