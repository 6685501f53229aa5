import { hex, type Pass } from '../../../formats/errors.ts';
import { NIL_GC_PHYS } from '../../../formats/pgm/layouts.ts';
import type { Release } from '../../../formats/ssm/container.ts';
import type { GuestClock } from '../../../formats/units/chipset/mc146818.ts';
import type { PagingFeatures } from '../../../formats/units/cpu/cpuid.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import { pagingModeName, pagingModeOf } from '../../paging/modes.ts';
import { holesOf, memoryMap } from '../layout/memory-map.ts';
import { mmio2Ranges } from '../layout/named-ranges.ts';
import type { RegionKind } from '../reading/memory-region.ts';
import { registersNote } from '../reading/registers-note.ts';
import type { PassSummary, SavedState, UnitSummary } from '../reading/state.ts';
import { describeMachine, type SavedMachine } from './describe-machine.ts';

// A state as plain data for JSON and for tables: addresses and registers as hexadecimal text, sizes and counts as
// numbers.

/** One unit. */
export interface UnitDescription {
  /** Name of the unit. */
  name: string;
  /** Number among units of one name. */
  instance: number;
  /** Version of the payload. */
  version: number;
  /** The pass that wrote it. */
  pass: Pass;
  /** Where its header stands in the file. */
  offset: number;
  /** Bytes in the file. */
  size: number;
  /** Bytes after decompression. */
  payloadSize: number;
}

/** One CPU. */
export interface CpuDescription {
  /** Number of the CPU. */
  cpu: number;
  /** As the registers imply. */
  mode?: string;
  /** As unit pgm holds it; a name, or the number where it has none. */
  storedMode?: string;
  /** Both agree. */
  modesAgree?: boolean;
  /** Whether the A20 gate is on; absent where that is not known. */
  a20?: boolean;
  /** Page directories of the PAE pointers, where the guest has any. */
  paePds?: string[];
  /** As hexadecimal text, by name. */
  registers: Record<string, string>;
}

/** Memory in one pass of a save. */
export interface PassDescription {
  /** Number of the pass. */
  pass: Pass;
  /** Bytes in the file. */
  size: number;
  /** Page records by kind. */
  records: PageHistogram;
}

/** Page records by kind. */
export interface PageHistogram {
  /** Records of RAM that is zeros. */
  ramZero: number;
  /** Records of RAM with content. */
  ramRaw: number;
  /** Records of RAM in the balloon. */
  ramBallooned: number;
  /** Records of device memory that is zeros. */
  mmio2Zero: number;
  /** Records of device memory with content. */
  mmio2Raw: number;
  /** Records of ROM. */
  romVirgin: number;
  /** Records of shadows of ROM that are zeros. */
  romShadowZero: number;
  /** Records of shadows of ROM with content. */
  romShadowRaw: number;
  /** Records that only tell what a ROM page shows and takes. */
  romProtection: number;
}

/** What a state holds. */
export interface StateDescription {
  /** The file as a whole. */
  container: {
    format: string;
    release?: string;
    revision?: number;
    hostBits?: number;
    gcPhysWidth: number;
    gcPtrWidth: number;
    streamCrc: boolean;
    live: boolean;
    size: number;
    directoryEntries?: number;
  };
  /** What unit SSM tells of the build, by name. */
  build: Record<string, string>;
  /** In the order of the file. */
  units: UnitDescription[];
  /** Guest memory; absent where there is no such unit. */
  memory?: {
    pgmVersion: number;
    ramSize?: number;
    ramHole?: number;
    balloonedPages?: number;
    ramPages: number;
    map: { start: string; end: string; size: number; kind: RegionKind | 'hole'; name: string }[];
    roms: { name: string; address: string; size: number; protection: number[] }[];
    mmio2: { name: string; device: string; size: number; mappedAt: string | null }[];
    mappings: { description: string; address: string; pageTables: string }[];
    records: PageHistogram;
    passes: PassDescription[];
  };
  /** What units tell of the machine. */
  machine: SavedMachine;
  /** By number. */
  cpus: CpuDescription[];
  /** Why there are no registers; absent where there are. */
  registersMissing?: string;
  /** What paging can do, by CPUID; absent where that is not known. */
  features?: PagingFeatures;
  /** What the guest's real-time clock showed. */
  clock?: GuestClock;
}

/** What `inspect` shows. */
export function describeState(state: SavedState): StateDescription {
  const description: StateDescription = {
    container: describeContainer(state),
    build: state.buildInfo,
    units: state.units.map(describeUnit),
    machine: describeMachine(state),
    cpus: describeCpus(state),
  };
  const memory = describeMemory(state);
  if (memory) description.memory = memory;
  const note = registersNote(state);
  if (note !== undefined) description.registersMissing = note;
  if (state.cpum?.features) description.features = state.cpum.features;
  if (state.guestClock) description.clock = state.guestClock;
  return description;
}

export function releaseText({ major, minor, build }: Release): string {
  return `${major}.${minor}.${build}`;
}

function describeContainer({ header, size, directory }: SavedState): StateDescription['container'] {
  const { format, release, hostBits, widths, streamCrc, live } = header;
  return {
    format,
    ...(release ? { release: releaseText(release), revision: release.revision } : {}),
    hostBits,
    gcPhysWidth: widths.gcPhys,
    gcPtrWidth: widths.gcPtr,
    streamCrc,
    live,
    size,
    directoryEntries: directory?.length,
  };
}

export function describeUnit({
  name,
  instance,
  version,
  pass,
  offset,
  size,
  payloadSize,
}: UnitSummary): UnitDescription {
  return { name, instance, version, pass, offset, size, payloadSize };
}

function describeMemory(state: SavedState): StateDescription['memory'] {
  const { pgm } = state;
  if (!pgm) return undefined;
  const regions = memoryMap(state);
  const row = (start: number, end: number, kind: RegionKind | 'hole', name: string) => ({
    start: hex(start),
    end: hex(end),
    size: end - start,
    kind,
    name,
  });
  const holes = holesOf(regions).map(({ start, end }) => ({ start, end, kind: 'hole' as const, name: '' }));
  const map = [...regions, ...holes]
    .sort((a, b) => a.start - b.start)
    .map(({ start, end, kind, name }) => row(start, end, kind, name));
  const roms = regions.filter(({ kind }) => kind === 'rom');
  const protectionOf = (id = -1, first = 0, size = 0) =>
    [...new Set(pgm.romProtection.get(id)?.subarray(first, first + Math.ceil(size / 4096)) ?? [])].filter((p) => p > 0);
  return {
    pgmVersion: pgm.version,
    ramSize: pgm.ramSize,
    ramHole: pgm.config?.ramHole,
    balloonedPages: pgm.basic?.balloonedPages,
    ramPages: pgm.ramPages,
    map,
    roms: roms.map(({ name, start, end, id, firstPage }) => ({
      name,
      address: hex(start),
      size: end - start,
      protection: protectionOf(id, firstPage, end - start),
    })),
    mmio2: mmio2Ranges(state).map(({ name, key, start, end, isMapped }) => ({
      name,
      device: key,
      size: end - start,
      mappedAt: isMapped ? hex(start) : null,
    })),
    mappings:
      pgm.basic?.mappings.map(({ description, address, pageTables }) => ({
        description,
        address: hex(address),
        pageTables: hex(pageTables),
      })) ?? [],
    records: histogram(pgm.passes),
    passes: pgm.passes.map((pass) => ({ pass: pass.pass, size: pass.size, records: histogram([pass]) })),
  };
}

/** In the order of `PageKind`. */
const KIND_NAMES = [
  'ramZero',
  'ramRaw',
  'mmio2Raw',
  'mmio2Zero',
  'romVirgin',
  'romShadowRaw',
  'romShadowZero',
  'romProtection',
  'ramBallooned',
] as const satisfies readonly (keyof PageHistogram)[];

function histogram(passes: readonly PassSummary[]): PageHistogram {
  const sum = (kind: number) => passes.reduce((total, pass) => total + pass.records[kind], 0);
  return Object.fromEntries(KIND_NAMES.map((name, kind) => [name, sum(kind)])) as unknown as PageHistogram;
}

function describeCpus(state: SavedState): CpuDescription[] {
  const registers = state.cpum?.cpus ?? [];
  const stored = state.pgm?.basic?.cpus ?? [];
  return Array.from({ length: Math.max(registers.length, stored.length) }, (_, cpu) => {
    const own = registers[cpu];
    const paging = stored[cpu];
    const description: CpuDescription = { cpu, registers: own ? describeRegisters(own) : {} };
    if (own) description.mode = pagingModeOf(own);
    if (paging) {
      description.storedMode = pagingModeName(paging.guestMode) ?? String(paging.guestMode);
      description.a20 = paging.a20Enabled;
      if (paging.paePds.some((pd) => pd !== NIL_GC_PHYS)) description.paePds = paging.paePds.map(hex);
    }
    if (own && paging) description.modesAgree = description.mode === description.storedMode;
    return description;
  });
}

function describeRegisters({ context, cr0, cr2, cr3, cr4, efer }: CpuRegisters): Record<string, string> {
  const registers: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...context, cr0, cr2, cr3, cr4, efer })) {
    if (typeof value === 'bigint') registers[name] = hex(value);
    else if ('selector' in value) registers[name] = hex(value.selector);
    else if ('limit' in value) registers[name] = `${hex(value.base)}:${hex(value.limit)}`;
  }
  return registers;
}
