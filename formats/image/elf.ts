import { bytes, mask64, u16, u32, u64 } from '../binary/kinds.ts';
import { defineStruct } from '../binary/struct.ts';
import { Writer } from '../binary/writer.ts';

// Structures of both kinds of ELF core (core-dump.md 1, 2).

const elfHeader = defineStruct('ELF64 header', 'elf.h, Elf64_Ehdr', {
  ident: { kind: bytes(16), doc: '7f 45 4c 46, class 2, data 1, version' },
  type: { kind: u16, doc: '4: core' },
  machine: { kind: u16, doc: '62: x86-64, 3: 386' },
  version: { kind: u32, doc: '1' },
  entry: { kind: u64, doc: '0' },
  phoff: { kind: u64, doc: '64' },
  shoff: { kind: u64, doc: '0' },
  flags: { kind: u32, doc: '0' },
  ehsize: { kind: u16, doc: '64' },
  phentsize: { kind: u16, doc: '56' },
  phnum: { kind: u16, doc: 'segments + 1' },
  shentsize: { kind: u16, doc: '64' },
  shnum: { kind: u16, doc: '0' },
  shstrndx: { kind: u16, doc: '0' },
});

const programHeader = defineStruct('ELF64 program header', 'elf.h, Elf64_Phdr', {
  type: { kind: u32, doc: '4: note, 1: load' },
  flags: { kind: u32, doc: '4: readable' },
  offset: { kind: u64, doc: 'file offset' },
  vaddr: { kind: mask64, doc: 'virtual address' },
  paddr: { kind: u64, doc: 'guest-physical address' },
  filesz: { kind: u64, doc: 'bytes in the file' },
  memsz: { kind: u64, doc: 'bytes of memory' },
  align: { kind: u64, doc: '0' },
});

const HEADER_SIZE = elfHeader.size();
const PROGRAM_HEADER_SIZE = programHeader.size();
const PT_LOAD = 1;
const PT_NOTE = 4;
const READABLE = 4;
const SIZES = { ehsize: HEADER_SIZE, phentsize: PROGRAM_HEADER_SIZE, shentsize: 64, shnum: 0, shstrndx: 0 };

/**
 * The field for the number of program headers has 16 bits with one special value, and one header describes the notes.
 */
export const MAX_SEGMENTS = 65533;

/** A stretch of memory in a core: a program header of type PT_LOAD. */
export interface CoreSegment {
  /** File offset of the contents. */
  offset: number;
  vaddr: bigint;
  paddr: number;
  /** Size in the file, in bytes: all of `memsz`, or 0. */
  filesz: number;
  memsz: number;
}

/** Values of `e_machine`. */
export const ElfMachine = { I386: 3, X86_64: 62 } as const;

/** Size of a core before its contents, in bytes: headers, then the notes. */
export function headSize(segments: number, notes: Uint8Array): number {
  return HEADER_SIZE + PROGRAM_HEADER_SIZE * (segments + 1) + notes.length;
}

export interface CoreKind {
  /** Byte 6 of the file: 1 by the standard, 0 in VirtualBox's cores. */
  identVersion: 0 | 1;
  machine: (typeof ElfMachine)[keyof typeof ElfMachine];
}

export function writeHead(
  segments: readonly CoreSegment[],
  notes: Uint8Array,
  { identVersion, machine }: CoreKind,
): Uint8Array {
  const head = new Writer(undefined, headSize(segments.length, notes));
  const ident = new Uint8Array(16);
  ident.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, identVersion]);
  elfHeader.write(head, {
    ident,
    type: 4,
    machine,
    version: 1,
    entry: 0,
    phoff: HEADER_SIZE,
    shoff: 0,
    flags: 0,
    ...SIZES,
    phnum: segments.length + 1,
  });
  const offset = headSize(segments.length, notes) - notes.length;
  programHeader.write(head, {
    type: PT_NOTE,
    flags: READABLE,
    offset,
    vaddr: 0n,
    paddr: 0,
    filesz: notes.length,
    memsz: notes.length,
    align: 0,
  });
  for (const segment of segments) programHeader.write(head, { type: PT_LOAD, flags: READABLE, ...segment, align: 0 });
  head.bytes(notes);
  return head.view().slice();
}
