import type { Cursor } from '../binary/cursor.ts';
import { END_OF_LIST, STRUCT_BEGIN } from '../binary/markers.ts';
import type { StructValue } from '../binary/struct.ts';
import { FormatError, hex, tooMany } from '../errors.ts';
import { PAGE_SIZE } from '../sizes.ts';
import {
  basicV6,
  basicV7,
  cpuStruct,
  END_ID,
  type Mapping,
  type Mmio2Entry,
  mapping,
  mmio2Entry,
  NIL_GC_PHYS,
  pgmStruct,
  type RomEntry,
  ramConfig,
  romEntry,
} from './layouts.ts';
import type { PgmVersion } from './versions.ts';

/** Paging state of one VCPU. */
export interface CpuPaging {
  /** False: bit 20 of each physical address is 0. */
  a20Enabled: boolean;
  /** Address mask for this state of the A20 gate. */
  a20Mask: bigint;
  /** PGMMODE: 1 real, 2 protected, 3 32-bit, 4 PAE, 5 PAE with NX, 6 long, 7 long with NX. */
  guestMode: number;
  /** Addresses of the four page directories in PAE mode; all ones for an absent one. */
  paePds: bigint[];
}

/** The basic part, at the start of every final pass. */
export interface PgmBasic {
  /** Paging state by number of the CPU. */
  cpus: CpuPaging[];
  /** Pages of 4 KiB in the balloon. */
  balloonedPages: number;
  /** Raw mode: the hypervisor's mappings in the guest's address space. */
  mappings: Mapping[];
  /** The guest has given these mappings a fixed area. */
  mappingsFixed: boolean;
  /** Address of the area of fixed mappings. */
  mappingFixed: bigint;
  /** Size of that area in bytes. */
  mappingFixedSize: number;
  /** Version 6 only: RAM size in bytes. */
  ramSize?: number;
  /** Version 6 only: flags that loaders restore, and no code of VirtualBox reads. */
  syncFlags?: number;
}

/** RAM configuration and the lists of ROMs and MMIO2 ranges. */
export interface PgmConfig {
  /** Size of the hole below 4 GiB in bytes; from version 11 on. */
  ramHole?: number;
  /** Bytes of guest RAM; from version 11 on. */
  ramSize?: number;
  /** ROMs, in the order of their ids. */
  roms: RomEntry[];
  /** Ranges of device memory, in the order of their ids. */
  mmio2: Mmio2Entry[];
}

const NO_PAE_PDS = [NIL_GC_PHYS, NIL_GC_PHYS, NIL_GC_PHYS, NIL_GC_PHYS];
/** `VMM_MAX_CPU_COUNT` of the largest builds. */
const MAX_CPUS = 512;
/** Raw mode maps the hypervisor by some ten mappings. */
const MAX_MAPPINGS = 256;
/** Ids are bytes; 0 and 0xFF are no ids. */
const MAX_ENTRIES = 254;

export function readBasic(cursor: Cursor, version: PgmVersion): PgmBasic {
  const basic = version.basic === 'per-cpu' ? readPerCpu(cursor, version.version) : readOneCpu(cursor, version);
  if (version.mappings) basic.mappings = readMappings(cursor);
  return basic;
}

function readOneCpu(cursor: Cursor, version: PgmVersion): PgmBasic {
  const unmarked = version.basic === 'one-cpu-unmarked';
  const fields = unmarked ? basicV6.read(cursor) : basicV7.read(cursor);
  const { a20Enabled, a20Mask, guestMode, mappingsFixed, mappingFixed, mappingFixedSize } = fields;
  const basic: PgmBasic = {
    cpus: [{ a20Enabled, a20Mask, guestMode, paePds: NO_PAE_PDS }],
    balloonedPages: 0,
    mappings: [],
    mappingsFixed,
    mappingFixed,
    mappingFixedSize,
  };
  if (!('syncFlags' in fields)) return basic;
  const { ramSize, syncFlags } = fields as StructValue<typeof basicV6>;
  return { ...basic, ramSize, syncFlags };
}

/** Reads structures until no begin marker follows, since the number of VCPUs is not stored (pgm-unit.md 3.3). */
function readPerCpu(cursor: Cursor, version: number): PgmBasic {
  const { balloonedPages, mappingsFixed, mappingFixed, mappingFixedSize } = pgmStruct.read(cursor, version);
  const cpus: CpuPaging[] = [];
  while (peekU32(cursor) === STRUCT_BEGIN) {
    if (cpus.length === MAX_CPUS) throw tooMany('VCPUs', MAX_CPUS);
    const { a20Enabled, a20Mask, guestMode, paePds } = cpuStruct.read(cursor, version);
    cpus.push({ a20Enabled, a20Mask, guestMode, paePds: paePds ?? NO_PAE_PDS });
  }
  if (cpus.length === 0) throw changed('VCPU structure', 'there is none', 'VERR_SSM_STRUCTURE_MAGIC');
  return { cpus, balloonedPages, mappings: [], mappingsFixed, mappingFixed, mappingFixedSize };
}

/** Peeks at the next u32. A live final pass may end with fewer bytes, which are no begin marker. */
function peekU32(cursor: Cursor): number {
  const { at } = cursor;
  const first = cursor.u8();
  cursor.at = at;
  if (first !== (STRUCT_BEGIN & 0xff)) return first;
  const value = cursor.u32();
  cursor.at = at;
  return value;
}

function readMappings(cursor: Cursor): Mapping[] {
  const mappings: Mapping[] = [];
  for (;;) {
    const sequence = cursor.u32();
    if (sequence === END_OF_LIST) return mappings;
    if (sequence !== mappings.length) throw changed('mapping', `number ${sequence}, expected ${mappings.length}`);
    checkCount('mappings', mappings.length, MAX_MAPPINGS);
    mappings.push(mapping.read(cursor));
  }
}

export function readConfig(cursor: Cursor, version: PgmVersion): PgmConfig {
  const config: PgmConfig = { roms: [], mmio2: [] };
  if (version.ramConfig) Object.assign(config, ramConfig.read(cursor));
  for (let id = readId(cursor); id !== END_ID; id = readId(cursor)) {
    checkIds('ROMs', config.roms.length);
    const rom = { id, ...romEntry.read(cursor) };
    if (rom.device !== '' || rom.instance !== 0 || rom.region !== 0) throw changed(`ROM ${id}`, 'it names a device');
    if (rom.address % PAGE_SIZE !== 0) throw changed(`ROM ${id}`, `address ${hex(rom.address)} is not page aligned`);
    checkSize(`ROM ${id}`, rom.size);
    config.roms.push(rom);
  }
  for (let id = readId(cursor); id !== END_ID; id = readId(cursor)) {
    checkIds('MMIO2 ranges', config.mmio2.length);
    const range = { id, ...mmio2Entry.read(cursor) };
    checkSize(`MMIO2 range ${id}`, range.size);
    config.mmio2.push(range);
  }
  return config;
}

function readId(cursor: Cursor): number {
  const id = cursor.u8();
  if (id === 0) throw changed('list of ROMs and MMIO2 ranges', 'id 0');
  return id;
}

/** Bounds the length of a structure, which is read anew whenever more of it arrives. */
function checkCount(what: string, count: number, limit: number): void {
  if (count >= limit) throw tooMany(what, limit);
}

/** Bounds a list by the number of ids, as each entry has its own. */
function checkIds(what: string, count: number): void {
  if (count >= MAX_ENTRIES)
    throw new FormatError('too-long', `Cannot read list of ${what}: it has more than ${MAX_ENTRIES}`);
}

function checkSize(what: string, size: number): void {
  if (size % PAGE_SIZE !== 0) throw changed(what, `size ${hex(size)} is not page aligned`);
}

export function changed(what: string, found: string, vboxCode = 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED'): FormatError {
  return new FormatError('bad-pgm', `Cannot read ${what}: ${found}`, {}, vboxCode);
}
