import { Writer } from '../binary/writer.ts';
import { PAGE_SIZE } from '../sizes.ts';
import type { CpuRegisters } from '../units/cpu/cpum.ts';
import { ElfMachine, headSize, writeHead } from './elf.ts';
import type { ImageLayout, MemoryRange } from './extents.ts';
import { prstatus32, prstatus64 } from './prstatus.ts';
import { qemuCpuState } from './qemu-cpu-state.ts';

// ELF64 cores for gdb, crash, drgn, makedumpfile and the like (core-dump.md 2).

const NT_PRSTATUS = 1;
/** Long mode is active. */
const EFER_LMA = 1n << 10n;
/** Type of the notes QEMU and VMCOREINFO. */
const NO_TYPE = 0;

/** A stretch of physical memory, and a virtual address at which it is mapped. */
export interface MappedStretch extends MemoryRange {
  vaddr: bigint;
}

/** Contents of the notes. */
export interface CoreNotes {
  cpus: readonly CpuRegisters[];
  /** The text in which a Linux kernel describes itself. */
  vmcoreinfo?: Uint8Array | undefined;
}

/**
 * @param ranges whole pages, ascending, no overlap: the contents
 * @param stretches parts of the ranges; at most `MAX_SEGMENTS`
 */
export function elfCoreLayout(
  ranges: readonly MemoryRange[],
  stretches: readonly MappedStretch[],
  { cpus, vmcoreinfo }: CoreNotes,
): ImageLayout {
  const is64Bit = cpus.length === 0 || cpus.some(({ efer }) => (efer & EFER_LMA) !== 0n);
  const notes = writeNotes(cpus, is64Bit ? prstatus64 : prstatus32, vmcoreinfo);
  const layout: ImageLayout = {
    size: Math.ceil(headSize(stretches.length, notes) / PAGE_SIZE) * PAGE_SIZE,
    extents: [],
    fixed: [],
  };
  for (const { start, end } of ranges) {
    layout.extents.push({ start, end, offset: layout.size });
    layout.size += end - start;
  }
  let at = 0;
  const segments = stretches.map(({ start, end, vaddr }) => {
    while (layout.extents[at].end <= start) at++;
    const size = end - start;
    return {
      offset: layout.extents[at].offset + start - layout.extents[at].start,
      vaddr,
      paddr: start,
      filesz: size,
      memsz: size,
    };
  });
  layout.fixed.push({
    offset: 0,
    bytes: writeHead(segments, notes, { identVersion: 1, machine: is64Bit ? ElfMachine.X86_64 : ElfMachine.I386 }),
  });
  return layout;
}

/** Groups notes by kind: the nth of a kind belongs to CPU n. */
function writeNotes(
  cpus: readonly CpuRegisters[],
  prstatus: typeof prstatus64,
  vmcoreinfo: Uint8Array | undefined,
): Uint8Array {
  const notes = new Writer();
  for (const [i, { context }] of cpus.entries())
    if (context) writeNote(notes, 'CORE', NT_PRSTATUS, prstatus(context, i + 1));
  for (const cpu of cpus) if (cpu.context) writeNote(notes, 'QEMU', NO_TYPE, qemuCpuState(cpu, cpu.context));
  if (vmcoreinfo) writeNote(notes, 'VMCOREINFO', NO_TYPE, vmcoreinfo);
  return notes.view().slice();
}

/** Writes a note. The size of the name counts its NUL; name and contents are padded to 4 bytes. */
function writeNote(writer: Writer, name: string, type: number, contents: Uint8Array): void {
  writer.u32(name.length + 1);
  writer.u32(contents.length);
  writer.u32(type);
  writer.bytes(padded(new TextEncoder().encode(`${name}\0`)));
  writer.bytes(padded(contents));
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
}
