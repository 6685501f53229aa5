import { Writer } from '../binary/writer.ts';
import type { CpuRegisters } from '../units/cpu/cpum.ts';
import type { GuestContext, Selector } from '../units/cpu/cpum-layouts.ts';

// The note with all registers of a CPU, as in QEMU's `dump-guest-memory` (core-dump.md 2.2). `crash` reads registers of
// CPUs that did not crash only from such notes.

const VERSION = 1;
const SIZE = 440;

export function qemuCpuState({ cr0, cr2, cr3, cr4 }: CpuRegisters, c: GuestContext): Uint8Array {
  const writer = new Writer(undefined, SIZE);
  writer.u32(VERSION);
  writer.u32(SIZE);
  for (const value of [
    c.rax,
    c.rbx,
    c.rcx,
    c.rdx,
    c.rsi,
    c.rdi,
    c.rsp,
    c.rbp,
    c.r8,
    c.r9,
    c.r10,
    c.r11,
    c.r12,
    c.r13,
    c.r14,
    c.r15,
  ])
    writer.bigU64(value);
  writer.bigU64(c.rip);
  writer.bigU64(c.rflags);
  for (const selector of [c.cs, c.ds, c.es, c.fs, c.gs, c.ss, c.ldtr, c.tr]) writeSegment(writer, selector);
  for (const { base, limit } of [c.gdtr, c.idtr]) writeSegment(writer, { selector: 0, base, limit, attributes: 0 });
  for (const value of [cr0, 0n, cr2, cr3, cr4, c.kernelGsBase]) writer.bigU64(value);
  return writer.view().slice();
}

/** Writes a segment, with the attributes at their place in the second word of a descriptor. */
function writeSegment(
  writer: Writer,
  { selector, limit, attributes, base }: Pick<Selector, 'selector' | 'limit' | 'attributes' | 'base'>,
): void {
  writer.u32(selector);
  writer.u32(limit);
  writer.u32((attributes << 8) >>> 0);
  writer.u32(0);
  writer.bigU64(base);
}
