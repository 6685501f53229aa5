import { Writer } from '../binary/writer.ts';
import type { CpuRegisters } from '../units/cpu/cpum.ts';
import type { Selector } from '../units/cpu/cpum-layouts.ts';

// The CPU descriptor of VirtualBox cores, format version 0x00010006 (core-dump.md 1.5). Source: dbgfcorefmt.h,
// DBGFCORECPU.

/** 592 bytes of registers, then the 8192 bytes of the XSAVE area. */
const CPU_DESCRIPTOR_SIZE = 8784;
const XSAVE_OFFSET = 592;
/** Legacy area and header, which are all of the area when no extended state was saved. */
const XSAVE_VALID_SIZE = 576;
const XSTATE_BV_OFFSET = XSAVE_OFFSET + 512;
const X87_AND_SSE = 3n;

/**
 * All registers from cpum versions 17 and later; from older ones only the control registers and EFER, the rest zero.
 */
export function cpuDescriptor(cpu: CpuRegisters, apicBase = 0n): Uint8Array {
  const writer = new Writer(undefined, CPU_DESCRIPTOR_SIZE);
  writeRegisters(writer, cpu, apicBase);
  writer.u32(cpu.fxsave ? XSAVE_VALID_SIZE : 0);
  const descriptor = new Uint8Array(CPU_DESCRIPTOR_SIZE);
  descriptor.set(writer.view());
  if (cpu.fxsave) {
    descriptor.set(cpu.fxsave, XSAVE_OFFSET);
    new DataView(descriptor.buffer).setBigUint64(XSTATE_BV_OFFSET, X87_AND_SSE, true);
  }
  return descriptor;
}

/** Writes the registers. Orders differ from the processor's: rax, rbx, rcx, rdx; cs, ds, es, fs, gs, ss. */
function writeRegisters(writer: Writer, cpu: CpuRegisters, apicBase: bigint): void {
  const { context: c } = cpu;
  const general = c
    ? [
        c.rax,
        c.rbx,
        c.rcx,
        c.rdx,
        c.rsi,
        c.rdi,
        c.r8,
        c.r9,
        c.r10,
        c.r11,
        c.r12,
        c.r13,
        c.r14,
        c.r15,
        c.rip,
        c.rsp,
        c.rbp,
        c.rflags,
      ]
    : [];
  writeU64s(writer, general, 18);
  for (const selector of [c?.cs, c?.ds, c?.es, c?.fs, c?.gs, c?.ss]) writeSelector(writer, selector);
  writeU64s(writer, [cpu.cr0, cpu.cr2, cpu.cr3, cpu.cr4], 4);
  // DR4 and DR5 are names for DR6 and DR7 and not saved.
  const dr = c?.dr ?? [];
  writeU64s(writer, c ? [dr[0], dr[1], dr[2], dr[3], 0n, 0n, dr[4], dr[5]] : [], 8);
  writeTable(writer, c?.gdtr);
  writeTable(writer, c?.idtr);
  writeSelector(writer, c?.ldtr);
  writeSelector(writer, c?.tr);
  const system = c ? [c.sysenterCs, c.sysenterEip, c.sysenterEsp] : [];
  writeU64s(writer, system, 3);
  writeU64s(writer, c ? [cpu.efer, c.star, c.pat, c.lstar, c.cstar, c.sfmask, c.kernelGsBase] : [cpu.efer], 7);
  writeU64s(writer, [apicBase, cpu.tscAux ?? 0n], 2);
  writeU64s(writer, c ? [c.xcr0, c.xcr1] : [], 2);
}

function writeU64s(writer: Writer, values: readonly bigint[], count: number): void {
  for (let i = 0; i < count; i++) writer.bigU64(values[i] ?? 0n);
}

function writeSelector(writer: Writer, selector: Selector | undefined): void {
  writer.bigU64(selector?.base ?? 0n);
  writer.u32(selector?.limit ?? 0);
  writer.u32(selector?.attributes ?? 0);
  writer.u16(selector?.selector ?? 0);
  writer.u16(0);
  writer.u32(0);
}

function writeTable(writer: Writer, table: { base: bigint; limit: number } | undefined): void {
  writer.bigU64(table?.base ?? 0n);
  writer.u32(table?.limit ?? 0);
  writer.u32(0);
}
