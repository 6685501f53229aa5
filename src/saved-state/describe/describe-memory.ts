import { hex, type Pass } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { holesOf, memoryMap } from '../layout/memory-map.ts';
import { mmio2Ranges } from '../layout/named-ranges.ts';
import type { RegionKind } from '../reading/memory-region.ts';
import type { PassSummary, SavedState } from '../reading/state.ts';

/** Memory in one pass of a save. */
export interface PassDescription {
  /** Number of the pass. */
  pass: Pass;
  /** Size in the file, in bytes. */
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
  /** Records that hold only a ROM page's protection, which decides whether the guest reads and writes ROM or shadow. */
  romProtection: number;
}

/** Guest memory. */
export interface MemoryDescription {
  /** Version of the unit pgm. */
  pgmVersion: number;
  /** Bytes of RAM. */
  ramSize?: number;
  /** Bytes of the hole below 4 GiB. */
  ramHole?: number;
  /** Pages in the balloon. */
  balloonedPages?: number;
  /** Number of RAM pages in the state. */
  ramPages: number;
  /** Guest-physical memory, ascending; addresses as hexadecimal text, `end` exclusive. */
  map: { start: string; end: string; size: number; kind: RegionKind | 'hole'; name: string }[];
  /** ROMs with their addresses and the protections of their pages. */
  roms: { name: string; address: string; size: number; protection: number[] }[];
  /** Device memory; `mappedAt` is null if it is not mapped. */
  mmio2: { name: string; device: string; size: number; mappedAt: string | null }[];
  /** Mappings of raw mode's hypervisor. */
  mappings: { description: string; address: string; pageTables: string }[];
  /** Page records of all passes. */
  records: PageHistogram;
  /** Memory of each pass. */
  passes: PassDescription[];
}

/** The guest's memory: map, ROMs, device memory, records of pages; undefined without a unit pgm. */
export function describeMemory(state: SavedState): MemoryDescription | undefined {
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
    [...new Set(pgm.romProtection.get(id)?.subarray(first, first + Math.ceil(size / PAGE_SIZE)) ?? [])].filter(
      (p) => p > 0,
    );
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

/** Names in the order of `PageKind`. */
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
  return Object.fromEntries(KIND_NAMES.map((name, kind) => [name, sum(kind)])) as Record<keyof PageHistogram, number>;
}
