import { encodeRecords, putBasic, putConfig } from './pgm-builder.ts';
import { PgmBytes } from './pgm-bytes.ts';
import { PA, PB } from './pgm-examples.ts';
import { emptyMachine, type Machine, PAGE, plainRecords } from './pgm-machine.ts';
import { liveUnits, stateV2 } from './pgm-states.ts';

/** A plain save in its parts, each of which a test may replace. */
export interface PgmParts {
  basic?: Uint8Array;
  config?: Uint8Array;
  /** Put before all records. */
  front?: PgmBytes;
  /** Put after all records. */
  end?: PgmBytes;
  /** Default: FF. */
  last?: PgmBytes;
}

/**
 * A small machine like the one that the loader's answers were got from: 4 MiB of RAM, four ROMs, the last one shadowed,
 * two MMIO2 ranges.
 */
export const TINY: Machine = tinyMachine();

function tinyMachine(): Machine {
  const ram = new Map<number, Uint8Array | 'zero'>([[0, PA]]);
  for (let address = PAGE; address < 0x400000; address += PAGE)
    if (address < 0xa0000 || address >= 0x100000) ram.set(address, 'zero');
  const rom = { virgin: PB, protection: 1 };
  const shadowed = { virgin: PB, shadow: PA, protection: 4 };
  return emptyMachine({
    ramSize: 0x400000,
    ram,
    roms: [
      { id: 1, description: 'DMI tables', address: 0xe1000, pages: [rom] },
      { id: 2, description: 'PC BIOS - 0xfffff', address: 0xf0000, pages: [rom, rom] },
      { id: 3, description: 'PC BIOS - 0xffffffff', address: 0xffff0000, pages: [rom, rom] },
      { id: 4, description: 'Net Boot ROM', address: 0xe2000, pages: [shadowed, shadowed] },
    ],
    mmio2: [
      {
        id: 1,
        device: 'VMMDev',
        instance: 0,
        region: 1,
        description: 'VMMDev',
        address: 0xf0000000,
        pages: [PA, 'zero', 'zero'],
      },
      {
        id: 2,
        device: 'VMMDev',
        instance: 0,
        region: 2,
        description: 'VMMDev Heap',
        address: 0xf0400000,
        pages: ['zero'],
      },
    ],
  });
}

export function basicOf(machine: Machine, version = 14): Uint8Array {
  const out = new PgmBytes();
  putBasic(out, machine, version, 8);
  return out.done();
}

export function configOf(machine: Machine, version = 14): Uint8Array {
  const out = new PgmBytes();
  putConfig(out, machine, version);
  return out.done();
}

/** The state of `TINY` with some parts replaced. */
export function stateOf(parts: PgmParts, version = 14, release: [number, number] = [7, 2]): Uint8Array {
  const none = new PgmBytes();
  const out = new PgmBytes().raw(parts.basic ?? basicOf(TINY, version)).raw(parts.config ?? configOf(TINY, version));
  out.raw((parts.front ?? none).done()).raw(encodeRecords(plainRecords(TINY), version));
  out.raw((parts.end ?? none).done()).raw((parts.last ?? new PgmBytes().u8(0xff)).done());
  return stateV2([{ version, payload: out.done() }], { release });
}

/** A live save of `TINY` of raw passes; config and basic part are put where they belong. */
export function liveStateOf(passes: PgmBytes[]): Uint8Array {
  const payloads = passes.map((records, pass) => {
    const out = new PgmBytes();
    if (pass === 0) out.raw(configOf(TINY));
    if (pass === passes.length - 1) out.raw(basicOf(TINY));
    return out.raw(records.done()).u8(0xff).done();
  });
  return stateV2(liveUnits(14, payloads), { live: true });
}

/** Records as they stand in the file; without an address where none is given. */
export const ramRecord = (type: number, address?: number) => putRam(new PgmBytes(), type, address);
export const rangeRecord = (type: number, id?: number, page = 0) => putRange(new PgmBytes(), type, id, page);

function putRam(out: PgmBytes, type: number, address: number | undefined): PgmBytes {
  if (address === undefined) out.u8(type);
  else out.u8(type | 0x80).u64(address);
  return type === 1 ? out.raw(PB) : out;
}

/** Types 2 to 7; protection 1. */
function putRange(out: PgmBytes, type: number, id: number | undefined, page: number): PgmBytes {
  if (id === undefined) out.u8(type);
  else
    out
      .u8(type | 0x80)
      .u8(id)
      .u32(page);
  if (type >= 4) out.u8(1);
  return type === 2 || type === 4 || type === 5 ? out.raw(PB) : out;
}

export function joined(...records: PgmBytes[]): PgmBytes {
  return records.reduce((out, record) => out.raw(record.done()), new PgmBytes());
}
