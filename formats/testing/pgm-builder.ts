import { PgmBytes } from './pgm-bytes.ts';
import type { Machine, MachineCpu, PageRecord, RamPage } from './pgm-machine.ts';
import { PAGE, plainRecords } from './pgm-machine.ts';
import { putChunkedRange, putTypedRange, rangesOf } from './pgm-old-builder.ts';

// Builds decoded payloads of the pgm unit straight from pgm-unit.md. Deliberately naive: one function per structure, no
// code of the readers.

const BEGIN = 0x19200102;
const END = 0x19920406;
const LIST_END = 0xffffffff;
const NIL = 0xffff_ffff_ffff_ffffn;

/** The payload of a plain save. `gcPtr`: bytes of a guest pointer; other than 8 in version 6 only. */
export function buildPgm(machine: Machine, version: number, gcPtr: 4 | 8 = 8): Uint8Array {
  const out = new PgmBytes();
  putBasic(out, machine, version, gcPtr);
  if (version >= 10) {
    putConfig(out, machine, version);
    return out
      .raw(encodeRecords(plainRecords(machine), version))
      .u8(0xff)
      .done();
  }
  rangesOf(machine).forEach((range, index) => {
    out.u32(index);
    if (version === 6) putChunkedRange(out, range);
    else putTypedRange(out, range);
  });
  return out.u32(LIST_END).done();
}

/** The payloads of a live save, versions 10 to 14: passes 0, 1, … and last the final one. */
export function buildLivePgm(machine: Machine, version: number, passes: PageRecord[][]): Uint8Array[] {
  return passes.map((records, pass) => {
    const out = new PgmBytes();
    if (pass === 0) putConfig(out, machine, version);
    if (pass === passes.length - 1) putBasic(out, machine, version, 8);
    return out.raw(encodeRecords(records, version)).u8(0xff).done();
  });
}

export function putBasic(out: PgmBytes, machine: Machine, version: number, gcPtr: 4 | 8): void {
  if (version === 6) putBasic6(out, machine, gcPtr);
  else if (version <= 8) putBasic7(out, machine.cpus[0]);
  else putStructs(out, machine, version);
  if (version <= 13) putMappings(out, machine, gcPtr);
}

function putBasic6(out: PgmBytes, { cpus: [cpu], ramSize }: Machine, gcPtr: 4 | 8): void {
  out.u8(0).address(0, gcPtr).u32(0).u32(ramSize);
  out.u64(a20Mask(cpu)).u32(cpu.a20 ? 1 : 0);
  out.u32(0).u32(cpu.mode).u32(LIST_END);
}

function putBasic7(out: PgmBytes, cpu: MachineCpu): void {
  out.u32(BEGIN).u8(0).u64(0).u32(0);
  out
    .u8(cpu.a20 ? 1 : 0)
    .u64(a20Mask(cpu))
    .u32(cpu.mode)
    .u32(END);
}

function putStructs(out: PgmBytes, machine: Machine, version: number): void {
  out.u32(BEGIN).u8(0).u64(0).u32(0);
  if (version >= 12) out.u32([...machine.ram.values()].filter((page) => page === 'balloon').length);
  out.u32(END);
  for (const cpu of machine.cpus) {
    out
      .u32(BEGIN)
      .u8(cpu.a20 ? 1 : 0)
      .u64(a20Mask(cpu))
      .u32(cpu.mode);
    if (version >= 14) for (const address of cpu.paePds ?? [NIL, NIL, NIL, NIL]) out.u64(address);
    out.u32(END);
  }
}

function a20Mask(cpu: MachineCpu): bigint {
  return cpu.a20 ? NIL : NIL - 0x100000n;
}

function putMappings(out: PgmBytes, machine: Machine, gcPtr: 4 | 8): void {
  machine.mappings.forEach(({ description, address, pageTables }, index) => {
    out.u32(index).text(description).address(address, gcPtr).address(pageTables, gcPtr);
  });
  out.u32(LIST_END);
}

export function putConfig(out: PgmBytes, machine: Machine, version: number): void {
  if (version >= 11) out.u32(machine.ramHole).u64(machine.ramSize);
  for (const { id, description, address, pages } of machine.roms) {
    out.u8(id).text('').u32(0).u8(0).text(description);
    out.u64(address).u64(pages.length * PAGE);
  }
  out.u8(0xff);
  for (const { id, device, instance, region, description, pages } of machine.mmio2) {
    out.u8(id).text(device).u32(instance).u8(region).text(description);
    out.u64(pages.length * PAGE);
  }
  out.u8(0xff);
}

/** Records without an address wherever one follows from the record before, as writers do it. No end mark. */
export function encodeRecords(records: PageRecord[], version: number): Uint8Array {
  const out = new PgmBytes();
  records.forEach((record, i) => {
    const follows = i > 0 && isNext(records[i - 1], record);
    out.u8(typeOf(record, version) | (follows ? 0 : 0x80));
    if (!follows) putAddress(out, record);
    if ('protection' in record) out.u8(record.protection);
    if ('content' in record && typeof record.content !== 'string') out.raw(record.content);
  });
  return out.done();
}

function isNext(before: PageRecord, record: PageRecord): boolean {
  if (before.kind === 'ram' || record.kind === 'ram') {
    return before.kind === 'ram' && record.kind === 'ram' && record.address === before.address + PAGE;
  }
  return before.kind === record.kind && before.id === record.id && record.page === before.page + 1;
}

function putAddress(out: PgmBytes, record: PageRecord): void {
  if (record.kind === 'ram') out.u64(record.address);
  else out.u8(record.id).u32(record.page);
}

function typeOf(record: PageRecord, version: number): number {
  switch (record.kind) {
    case 'ram':
      return ramType(record.content, version);
    case 'mmio2':
      return record.content === 'zero' ? 3 : 2;
    case 'rom-virgin':
      return 4;
    case 'rom-shadow':
      return record.content === 'zero' ? 6 : 5;
    case 'rom-protection':
      return 7;
  }
}

function ramType(content: RamPage, version: number): number {
  if (content === 'balloon' && version >= 13) return 8;
  return typeof content === 'string' ? 0 : 1;
}
