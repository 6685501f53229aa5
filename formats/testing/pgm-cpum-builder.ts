import { PgmBytes } from './pgm-bytes.ts';

// Payloads of the cpum unit as each release laid them out, by hand: register blocks are filled with one byte, the
// control registers stand at their offsets.

export interface Registers {
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
}

export interface CpumLayout {
  version: number;
  cpus: Registers[];
  /** EDX of CPUID leaves 1 and 0x80000001. */
  edx: { basic: number; extended: number };
  /** AL of leaf 0x80000008; no such leaf by default. */
  physicalBits?: number;
  /** Versions 17 and later: what the extended state of each CPU holds. */
  extended?: Uint8Array;
  /** Version 10: releases 2.1 and 2.2 have one hypervisor context whatever the number of CPUs. */
  oneHypervisor?: boolean;
}

const BEGIN = 0x19200102;
const END = 0x19920406;
const HYPERVISOR = 0x77;
const GUEST = 0x33;
/** Versions 17 and later: the first MSR. */
export const TSC_AUX = 0x5005;

export function buildCpum(layout: CpumLayout): Uint8Array {
  const out = new PgmBytes();
  if (layout.version >= 17) putModern(out, layout);
  else if (layout.version >= 14) putV14(out, layout);
  else if (layout.version >= 9) putV9(out, layout);
  else putV6(out, layout);
  return putCpuid(out, layout).done();
}

/** Versions 6 and 8. */
function putV6(out: PgmBytes, { version, cpus: [cpu] }: CpumLayout): void {
  const size = version === 6 ? 1032 : 1024;
  out
    .raw(filled(size, HYPERVISOR))
    .raw(guest(size, offsetsOf(version), cpu))
    .u32(1)
    .u32(2);
}

/** Versions 9 to 13. */
function putV9(out: PgmBytes, { version, cpus, oneHypervisor }: CpumLayout): void {
  const hypervisors = version === 9 || oneHypervisor ? 1 : cpus.length;
  for (let i = 0; i < hypervisors; i++) out.raw(filled(1024, HYPERVISOR));
  out.u32(cpus.length);
  const msrs = version === 13 ? 96 : version >= 10 ? 512 : 0;
  if (version === 13) out.u32(msrs);
  for (const cpu of cpus)
    out
      .raw(guest(1024, offsetsOf(version), cpu))
      .u32(1)
      .u32(2)
      .zeros(msrs);
}

function putV14(out: PgmBytes, { cpus }: CpumLayout): void {
  for (const _ of cpus) out.raw(marked(filled(924, HYPERVISOR)));
  out.u32(cpus.length).u32(64);
  for (const cpu of cpus)
    out
      .raw(marked(guest(924, offsetsOf(14), cpu)))
      .u32(1)
      .u32(2)
      .zeros(64);
}

function putModern(out: PgmBytes, { version, cpus, extended }: CpumLayout): void {
  if (version >= 24) out.u16(0);
  out.u32(cpus.length).u32(128);
  for (const cpu of cpus) {
    out
      .raw(marked(filled(532, HYPERVISOR)))
      .raw(marked(guest(532, offsetsOf(17), cpu)))
      .raw(marked(filled(428, 0x22)));
    if (extended) out.raw(extended);
    if (version >= 21) out.raw(filled(32, 0xff));
    out.u32(1).u32(2).u64(TSC_AUX).zeros(120);
  }
}

function putCpuid(out: PgmBytes, { version, edx, physicalBits }: CpumLayout): PgmBytes {
  if (version >= 15) putEntries(out, edx, physicalBits);
  else putArrays(out, edx, physicalBits);
  out.raw(filled(16, 0xdd));
  if (version <= 10) return out.raw(filled(32, 0x44));
  return out.u32(16).raw(filled(256, 0x44)).u32(32).raw(filled(512, 0x44));
}

function putEntries(out: PgmBytes, edx: CpumLayout['edx'], physicalBits?: number): void {
  const leaves = [0, 1, 0xd, 0x80000000, 0x80000001, ...(physicalBits ? [0x80000008] : [])];
  out.u32(32).u32(leaves.length);
  for (const leaf of leaves) {
    out.u32(leaf).u32(0).u32(0);
    out
      .u32(leaf === 0x80000008 ? (physicalBits ?? 0) | 0x3000 : 0xa)
      .u32(0xb)
      .u32(0xc);
    out.u32(leaf === 1 ? edx.basic : leaf === 0x80000001 ? edx.extended : 0).u32(0);
  }
}

function putArrays(out: PgmBytes, edx: CpumLayout['edx'], physicalBits?: number): void {
  for (const [i, d] of [edx.basic, edx.extended, 0].entries()) {
    const count = i === 1 && physicalBits ? 9 : 2;
    out.u32(count);
    for (let leaf = 0; leaf < count; leaf++)
      out
        .u32(leaf === 8 ? (physicalBits ?? 0) | 0x3000 : 0xa)
        .u32(0xb)
        .u32(0xc)
        .u32(leaf === 1 ? d : 0);
  }
}

/** CR0, CR2, CR3, CR4, EFER from the start of a guest block. */
function offsetsOf(version: number): number[] {
  if (version === 6) return [760, 768, 776, 784, 928];
  if (version <= 13) return [784, 792, 800, 808, 936];
  return version <= 16 ? [696, 704, 712, 720, 820] : [280, 288, 296, 304, 404];
}

function filled(size: number, byte: number): Buffer {
  return Buffer.alloc(size, byte);
}

function guest(size: number, offsets: number[], { cr0, cr2, cr3, cr4, efer }: Registers): Buffer {
  const block = filled(size, GUEST);
  [cr0, cr2, cr3, cr4, efer].forEach((value, i) => {
    block.writeBigUInt64LE(value, offsets[i]);
  });
  return block;
}

function marked(block: Buffer): Buffer {
  block.writeUInt32LE(BEGIN, 0);
  block.writeUInt32LE(END, block.length - 4);
  return block;
}
