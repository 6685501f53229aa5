import type { ByteSource } from '../files/source.ts';
import { OLD_PAGE_TYPE_NAMES, type OldRange } from '../pgm/old-ranges.ts';
import { isPgm, PgmReader } from '../pgm/pgm-reader.ts';
import { openContainer } from '../ssm/open.ts';
import { PayloadReader } from '../ssm/payload.ts';
import { findPciDevices, PCI_LIMIT, PCI_UNITS, type PciDevice } from '../units/chipset/pci.ts';
import { CPUM_LIMIT, type Cpum, readCpum } from '../units/cpu/cpum.ts';
import { hashPages, PgmImage, ZERO_PAGE } from './pgm-image.ts';
import { FOUR_GIB, PAGE } from './pgm-machine.ts';
import { hexOf } from './pgm-memory.ts';

// Compares what the readers find in a state with its description, which independent readers and VirtualBox itself have
// made.

/** The parts of a description that the comparison uses. */
export interface Truth {
  vcpus: Record<'cr0' | 'cr2' | 'cr3' | 'cr4' | 'efer', string>[];
  pgm: {
    version: number;
    cpus: { a20: boolean; mode: number; paePds?: string[] }[];
    records?: Record<string, number>;
    ranges?: {
      first: string;
      last: string;
      description: string;
      ownMemory: boolean;
      types: Record<string, number>;
      sha256: string;
    }[];
  };
  ram: {
    low: { end: string; sha256: string };
    high: { first: string; end: string; sha256: string } | null;
    pages: Record<string, number>;
  };
  rom: {
    id: number;
    description: string;
    address: string;
    size: number;
    protection: number | number[];
    virginSha256: string;
    shadowSha256: string | null;
  }[];
  mmio2: {
    id: number;
    device: string;
    region: number;
    description: string;
    size: number;
    sha256: string;
    mappedAt?: string;
  }[];
  /** Absent where nothing tells what VirtualBox had mapped. */
  memoryMap?: unknown[];
}

interface Found {
  pgm: PgmReader;
  image: PgmImage;
  cpum?: Cpum;
  pci: Map<string, PciDevice>;
}

/** Pairs of what was found and what is true, by subject; equal when the readers are right. */
export async function compareWithTruth(
  source: ByteSource,
  truth: Truth,
): Promise<Map<string, [found: unknown, expected: unknown]>> {
  const found = await readState(source);
  const { pgm } = found;
  const pairs = new Map<string, [unknown, unknown]>();
  pairs.set('pgm version', [pgm.version?.version, truth.pgm.version]);
  pairs.set('CPUs', [cpusOf(found, truth), truth.pgm.cpus.map(({ a20, mode, paePds }) => ({ a20, mode, paePds }))]);
  pairs.set('registers', [
    registersOf(found),
    truth.vcpus.map(({ cr0, cr2, cr3, cr4, efer }) => ({ cr0, cr2, cr3, cr4, efer })),
  ]);
  pairs.set('RAM', [
    ramOf(found, truth),
    { low: truth.ram.low.sha256, high: truth.ram.high?.sha256 ?? null, pages: truth.ram.pages },
  ]);
  if (truth.pgm.records) pairs.set('records', [recordsOf(found), truth.pgm.records]);
  if (truth.pgm.ranges) pairs.set('ranges', [pgm.oldRanges.map((range) => rangeOf(found, range)), truth.pgm.ranges]);
  pairs.set('ROMs', [romsOf(found), truth.rom.map(romTruth)]);
  pairs.set('MMIO2', [
    mmio2Of(found),
    truth.mmio2.map(({ id, device, region, size, sha256 }) => ({ id, device, region, size, sha256 })),
  ]);
  if (truth.memoryMap)
    pairs.set('MMIO2 addresses', [
      truth.mmio2.map((range) => mappedAt(found, range)),
      truth.mmio2.map((range) => range.mappedAt),
    ]);
  return pairs;
}

async function readState(source: ByteSource): Promise<Found> {
  const container = await openContainer(source);
  const found: Found = { pgm: new PgmReader(container), image: new PgmImage(), pci: new Map() };
  for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
    if (isPgm(unit)) {
      await found.pgm.begin(unit);
      while (await found.pgm.nextPages()) found.image.take(found.pgm.batch);
    } else if (unit.pass === 'final' && unit.name === 'cpum') {
      found.cpum = readCpum(await new PayloadReader(container).rest(CPUM_LIMIT), unit.version);
    } else if (unit.pass === 'final' && (PCI_UNITS as readonly string[]).includes(unit.name)) {
      found.pci = findPciDevices(await new PayloadReader(container).rest(PCI_LIMIT));
    }
  }
  return found;
}

/** Versions before 14 have no page directories to compare. */
function cpusOf({ pgm }: Found, truth: Truth) {
  return pgm.basic?.cpus.map(({ a20Enabled, guestMode, paePds }, i) => {
    const stored = truth.pgm.cpus[i]?.paePds !== undefined;
    return {
      a20: a20Enabled,
      mode: guestMode,
      paePds: stored ? paePds.map((pd) => `0x${pd.toString(16)}`) : undefined,
    };
  });
}

function registersOf({ cpum }: Found) {
  const text = (value: bigint) => `0x${value.toString(16)}`;
  return (
    cpum?.cpus.map(({ cr0, cr2, cr3, cr4, efer }) => ({
      cr0: text(cr0),
      cr2: text(cr2),
      cr3: text(cr3),
      cr4: text(cr4),
      efer: text(efer),
    })) ?? []
  );
}

/** One flat image, zeros where there is no RAM. A zero record at 0xA0000–0xFFFFF names no RAM. */
function ramOf({ image }: Found, truth: Truth) {
  const low = hashPages(Number(truth.ram.low.end) / PAGE, (i) => image.ram.get(i));
  const { high } = truth.ram;
  const firstHigh = FOUR_GIB / PAGE;
  const highHash = high ? hashPages((Number(high.end) - FOUR_GIB) / PAGE, (i) => image.ram.get(firstHigh + i)) : null;
  const zero = [...image.ram.values()].filter((page) => page === ZERO_PAGE).length;
  return { low, high: highHash, pages: { total: image.ram.size, zero, ballooned: image.ballooned.size } };
}

const KIND_NAMES = [
  'RAM_ZERO',
  'RAM_RAW',
  'MMIO2_RAW',
  'MMIO2_ZERO',
  'ROM_VIRGIN',
  'ROM_SHW_RAW',
  'ROM_SHW_ZERO',
  'ROM_PROT',
  'RAM_BALLOONED',
];

function recordsOf({ image }: Found): Record<string, number> {
  return Object.fromEntries(
    image.records.map((count, kind) => [KIND_NAMES[kind], count] as const).filter(([, count]) => count > 0),
  );
}

function romsOf({ pgm, image }: Found) {
  return (pgm.config?.roms ?? []).map(({ id, description, address, size }) => {
    const pages = image.roms.get(id);
    const all = Array.from({ length: size / PAGE }, (_, i) => pages?.get(i));
    const shadowed = all.some((page) => page?.shadow);
    return {
      ...{ id, description, address: hexOf(address), size },
      protection: all.map((page) => page?.protection),
      virgin: hashPages(all.length, (i) => all[i]?.virgin),
      shadow: shadowed ? hashPages(all.length, (i) => all[i]?.shadow) : null,
    };
  });
}

function romTruth({ id, description, address, size, protection, virginSha256, shadowSha256 }: Truth['rom'][number]) {
  const all = typeof protection === 'number' ? new Array<number>(size / PAGE).fill(protection) : protection;
  return { id, description, address, size, protection: all, virgin: virginSha256, shadow: shadowSha256 };
}

function mmio2Of({ pgm, image }: Found) {
  return (pgm.config?.mmio2 ?? []).map(({ id, device, region, size }) => {
    return { id, device, region, size, sha256: hashPages(size / PAGE, (i) => image.mmio2.get(id)?.get(i)) };
  });
}

function mappedAt({ pci }: Found, { device, region }: Truth['mmio2'][number]): string | undefined {
  const address = pci.get(device)?.memoryEnabled ? pci.get(device)?.regions[region] : undefined;
  return address === undefined ? undefined : hexOf(address);
}

/** Versions 6 to 9: a range as the guest reads it. */
function rangeOf({ image }: Found, range: OldRange) {
  const { index, start, pages, description, ownMemory } = range;
  const types: Record<string, number> = {};
  for (const { type, count } of range.runs) {
    const name = OLD_PAGE_TYPE_NAMES[type].toUpperCase().replaceAll('-', '_');
    types[name] = (types[name] ?? 0) + count;
  }
  const sha256 = hashPages(pages, (i) => {
    const rom = image.roms.get(index)?.get(i);
    if (rom) return rom.protection >= 3 ? rom.shadow : rom.virgin;
    return image.mmio2.get(index)?.get(i) ?? image.ram.get(start / PAGE + i);
  });
  return { first: hexOf(start), last: hexOf(start + pages * PAGE - 1), description, ownMemory, types, sha256 };
}
