import { bytes, u16, u32, u64 } from '../binary/kinds.ts';
import { defineStruct } from '../binary/struct.ts';
import { Writer } from '../binary/writer.ts';
import type { Release } from '../ssm/container.ts';
import type { CpuRegisters } from '../units/cpum.ts';
import type { ImageLayout, MemoryRange } from './extents.ts';
import { cpuDescriptor } from './vbcpu.ts';

// ELF64 core files as VirtualBox writes them (core-dump.md 1). Source: DBGFCoreWrite.cpp.

const elfHeader = defineStruct('ELF64 header', 'elf.h, Elf64_Ehdr', {
  ident: { kind: bytes(16), doc: '7f 45 4c 46, class 2, data 1' },
  type: { kind: u16, doc: '4: core' },
  machine: { kind: u16, doc: '62: x86-64' },
  version: { kind: u32, doc: '1' },
  entry: { kind: u64, doc: '0' },
  phoff: { kind: u64, doc: '64' },
  shoff: { kind: u64, doc: '0' },
  flags: { kind: u32, doc: '0' },
  ehsize: { kind: u16, doc: '64' },
  phentsize: { kind: u16, doc: '56' },
  phnum: { kind: u16, doc: 'ranges + 1' },
  shentsize: { kind: u16, doc: '64' },
  shnum: { kind: u16, doc: '0' },
  shstrndx: { kind: u16, doc: '0' },
});

const programHeader = defineStruct('ELF64 program header', 'elf.h, Elf64_Phdr', {
  type: { kind: u32, doc: '4: note, 1: load' },
  flags: { kind: u32, doc: '4: readable' },
  offset: { kind: u64, doc: 'file offset' },
  vaddr: { kind: u64, doc: '0' },
  paddr: { kind: u64, doc: 'guest-physical address' },
  filesz: { kind: u64, doc: 'bytes in the file' },
  memsz: { kind: u64, doc: 'bytes of memory' },
  align: { kind: u64, doc: '0' },
});

const coreDescriptor = defineStruct('VBCORE descriptor', 'dbgfcorefmt.h, DBGFCOREDESCRIPTOR', {
  magic: { kind: u32, doc: '0xc01ac0de' },
  version: { kind: u32, doc: '0x00010006' },
  size: { kind: u32, doc: '24' },
  vboxVersion: { kind: u32, doc: 'major << 24 | minor << 16 | build' },
  revision: { kind: u32, doc: 'svn revision' },
  cpus: { kind: u32, doc: 'number of CPUs' },
});

const HEADER_SIZE = elfHeader.size();
const PROGRAM_HEADER_SIZE = programHeader.size();
const PT_LOAD = 1;
const PT_NOTE = 4;
const READABLE = 4;
const NT_VBCORE = 0xb00;
const NT_VBCPU = 0xb01;
const CORE_MAGIC = 0xc01ac0de;
/** `DBGFCORE_FMT_VERSION` of 7.x. */
const FORMAT_VERSION = 0x00010006;
/** The field for the number of program headers has 16 bits, one value of which is special. */
export const MAX_CORE_RANGES = 65533;

export interface CoreRange extends MemoryRange {
  /** MMIO has an entry but no bytes. */
  hasContents: boolean;
}

/** What the notes tell of the machine. */
export interface CoreMachine {
  cpus: readonly CpuRegisters[];
  /** By CPU; may be shorter. */
  apicBases: readonly bigint[];
  release?: Release | undefined;
}

/** @param ranges whole pages, ascending, no overlap; at most `MAX_CORE_RANGES` */
export function elfCoreLayout(ranges: readonly CoreRange[], machine: CoreMachine): ImageLayout {
  const notes = writeNotes(machine);
  const notesOffset = HEADER_SIZE + PROGRAM_HEADER_SIZE * (ranges.length + 1);
  const layout: ImageLayout = { size: notesOffset + notes.length, extents: [], fixed: [] };
  const head = new Writer();
  elfHeader.write(head, {
    ident: IDENT,
    type: 4,
    machine: 62,
    version: 1,
    entry: 0,
    phoff: HEADER_SIZE,
    shoff: 0,
    flags: 0,
    ...SIZES,
    phnum: ranges.length + 1,
  });
  programHeader.write(head, { ...BLANK, type: PT_NOTE, offset: notesOffset, paddr: 0, filesz: notes.length, memsz: notes.length });
  for (const { start, end, hasContents } of ranges) {
    const memsz = end - start;
    const filesz = hasContents ? memsz : 0;
    programHeader.write(head, { ...BLANK, type: PT_LOAD, offset: layout.size, paddr: start, filesz, memsz });
    if (hasContents) layout.extents.push({ start, end, offset: layout.size });
    layout.size += filesz;
  }
  layout.fixed.push({ offset: 0, bytes: head.view().slice() }, { offset: notesOffset, bytes: notes });
  return layout;
}

/** Ident byte 6, the version, is 0 as VirtualBox has it; `crash` wants a 1 there. */
const IDENT = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
const SIZES = { ehsize: HEADER_SIZE, phentsize: PROGRAM_HEADER_SIZE, shentsize: 64, shnum: 0, shstrndx: 0 };
const BLANK = { flags: READABLE, vaddr: 0, align: 0 };

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

/** Name sizes are written without the NUL; the fields are padded to 8. */
function writeNote(writer: Writer, name: string, type: number, descriptor: Uint8Array): void {
  writer.u32(name.length);
  writer.u32(descriptor.length);
  writer.u32(type);
  writer.bytes(new TextEncoder().encode(name.padEnd(8, '\0')));
  writer.bytes(descriptor);
}
