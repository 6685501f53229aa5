import { u32 } from '../binary/kinds.ts';
import { defineStruct } from '../binary/struct.ts';
import { Writer } from '../binary/writer.ts';
import type { Release } from '../ssm/container.ts';
import type { CpuRegisters } from '../units/cpu/cpum.ts';
import { type CoreSegment, ElfMachine, headSize, writeHead } from './elf.ts';
import type { ImageLayout, MemoryRange } from './extents.ts';
import { cpuDescriptor } from './vbcpu.ts';

// ELF64 core files as VirtualBox writes them, packed and without virtual addresses (core-dump.md 1). Source:
// DBGFCoreWrite.cpp.

const coreDescriptor = defineStruct('VBCORE descriptor', 'dbgfcorefmt.h, DBGFCOREDESCRIPTOR', {
  magic: { kind: u32, doc: '0xc01ac0de' },
  version: { kind: u32, doc: '0x00010006' },
  size: { kind: u32, doc: '24' },
  vboxVersion: { kind: u32, doc: 'major << 24 | minor << 16 | build' },
  revision: { kind: u32, doc: 'svn revision' },
  cpus: { kind: u32, doc: 'number of CPUs' },
});

const NT_VBCORE = 0xb00;
const NT_VBCPU = 0xb01;
const CORE_MAGIC = 0xc01ac0de;
/** `DBGFCORE_FMT_VERSION` of 7.x. */
const FORMAT_VERSION = 0x00010006;

export interface CoreRange extends MemoryRange {
  /** False for MMIO, which has an entry but no bytes. */
  hasContents: boolean;
}

/** Facts about the machine, for the notes. */
export interface CoreMachine {
  cpus: readonly CpuRegisters[];
  /** APIC base by CPU; may have fewer entries than there are CPUs. */
  apicBases: readonly bigint[];
  release?: Release | undefined;
}

/** @param ranges whole pages, ascending, no overlap; at most `MAX_SEGMENTS` */
export function vboxCoreLayout(ranges: readonly CoreRange[], machine: CoreMachine): ImageLayout {
  const notes = writeNotes(machine);
  const layout: ImageLayout = { size: headSize(ranges.length, notes), extents: [], fixed: [] };
  const segments = ranges.map(({ start, end, hasContents }): CoreSegment => {
    const memsz = end - start;
    const segment = { offset: layout.size, vaddr: 0n, paddr: start, filesz: hasContents ? memsz : 0, memsz };
    if (hasContents) layout.extents.push({ start, end, offset: layout.size });
    layout.size += segment.filesz;
    return segment;
  });
  layout.fixed.push({ offset: 0, bytes: writeHead(segments, notes, { identVersion: 0, machine: ElfMachine.X86_64 }) });
  return layout;
}

function writeNotes({ cpus, apicBases, release }: CoreMachine): Uint8Array {
  const notes = new Writer();
  const core = new Writer();
  const vboxVersion = release ? ((release.major << 24) | (release.minor << 16) | release.build) >>> 0 : 0;
  coreDescriptor.write(core, {
    magic: CORE_MAGIC,
    version: FORMAT_VERSION,
    size: coreDescriptor.size(),
    vboxVersion,
    revision: release?.revision ?? 0,
    cpus: cpus.length,
  });
  writeNote(notes, 'VBCORE', NT_VBCORE, core.view());
  for (const [i, cpu] of cpus.entries()) writeNote(notes, 'VBCPU', NT_VBCPU, cpuDescriptor(cpu, apicBases[i]));
  return notes.view().slice();
}

/** Writes a note. The size of the name does not count its NUL; the name is padded to 8 bytes. */
function writeNote(writer: Writer, name: string, type: number, descriptor: Uint8Array): void {
  writer.u32(name.length);
  writer.u32(descriptor.length);
  writer.u32(type);
  writer.bytes(new TextEncoder().encode(name.padEnd(8, '\0')));
  writer.bytes(descriptor);
}
