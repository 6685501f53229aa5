import { Cursor } from '../../binary/cursor.ts';
import { array, bytes, type Kind, mask64, u8, u16, u32 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { fields, nested, x16, x32, x64 } from '../codec/kinds.ts';

/** A segment register with its hidden part. */
export const selector = defineStruct('Segment register', 'CPUM.cpp, CPUMSELREG', {
  selector: { kind: u16, doc: 'Sel' },
  validSelector: { kind: u16, doc: 'ValidSel' },
  flags: { kind: u16, doc: 'fFlags: bit 0, the hidden part is valid' },
  base: { kind: mask64, doc: 'u64Base' },
  limit: { kind: u32, doc: 'u32Limit, in bytes' },
  attributes: { kind: u32, doc: 'Attr: type, DPL, present, … as in a VMCS' },
});
export type Selector = StructValue<typeof selector>;

export const selectorKind = nested(selector);

/** A table register: limit and base. */
const tableRegister = defineStruct('Table register', 'CPUM.cpp, VBOXGDTR', {
  limit: { kind: u16, doc: 'cbGdt, cbIdt: limit' },
  base: { kind: mask64, doc: 'pGdt, pIdt' },
});
export const tableKind = nested(tableRegister);

const u64 = (doc: string) => ({ kind: x64, doc });

/** The guest context of cpum versions 17 to 24: 532 bytes, the control registers at 280, EFER at 404. */
export const guestContext = defineStruct('Guest context, cpum versions 17–24', 'CPUM.cpp, g_aCpumCtxFields', {
  begin,
  rdi: u64('general registers, in this order'),
  rsi: u64(''),
  rbp: u64(''),
  rax: u64(''),
  rbx: u64(''),
  rdx: u64(''),
  rcx: u64(''),
  rsp: u64(''),
  rflags: u64('RFLAGS'),
  rip: u64('RIP'),
  r8: u64(''),
  r9: u64(''),
  r10: u64(''),
  r11: u64(''),
  r12: u64(''),
  r13: u64(''),
  r14: u64(''),
  r15: u64(''),
  es: { kind: selectorKind, doc: 'segment registers, in this order' },
  cs: { kind: selectorKind, doc: '' },
  ss: { kind: selectorKind, doc: '' },
  ds: { kind: selectorKind, doc: '' },
  fs: { kind: selectorKind, doc: '' },
  gs: { kind: selectorKind, doc: '' },
  cr0: u64('CR0'),
  cr2: u64('CR2'),
  cr3: u64('CR3'),
  cr4: u64('CR4'),
  dr: { kind: array(mask64, 6), doc: 'DR0–DR3, DR6, DR7' },
  gdtr: { kind: tableKind, doc: 'GDTR' },
  idtr: { kind: tableKind, doc: 'IDTR' },
  sysenterCs: u64('SysEnter.cs'),
  sysenterEip: u64('SysEnter.eip'),
  sysenterEsp: u64('SysEnter.esp'),
  efer: u64('EFER'),
  star: u64('STAR'),
  pat: u64('PAT'),
  lstar: u64('LSTAR'),
  cstar: u64('CSTAR'),
  sfmask: u64('SFMASK'),
  kernelGsBase: u64('kernel GS base'),
  ldtr: { kind: selectorKind, doc: 'LDTR' },
  tr: { kind: selectorKind, doc: 'TR' },
  xcr0: u64('XCR0'),
  xcr1: u64('XCR1'),
  xStateMask: u64('fXStateMask: components of the extended state that follow'),
  end,
});
/** Registers of a CPU in the unit; the table in FORMAT.md explains the fields. */
export type GuestContext = StructValue<typeof guestContext>;

/** Registers on which paging depends. */
export interface ControlRegisters {
  /** Modes such as paging and protection. */
  cr0: bigint;
  /** Address of the last page fault. */
  cr2: bigint;
  /** Address of the root of the page tables, with flags. */
  cr3: bigint;
  /** Enabled extensions. */
  cr4: bigint;
  /** MSR EFER: long mode, NX. */
  efer: bigint;
}

/** Offsets of 64-bit control registers in a context. */
export type ControlOffsets = Readonly<Record<keyof ControlRegisters, number>>;

/** The first 416 bytes of an FXSAVE image. */
export const fpuImage = defineStruct('First 416 bytes of an FXSAVE image', 'Intel SDM, volume 1, section 10.5.1', {
  ...fields(x16, ['fcw', 'fsw']),
  ftw: { kind: u8, doc: 'abridged' },
  reserved: { kind: u8, doc: '' },
  fop: { kind: x16, doc: '' },
  fpuIp: { kind: x32, doc: '' },
  ...fields(x16, ['fpuCs', 'reserved1']),
  fpuDp: { kind: x32, doc: '' },
  ...fields(x16, ['fpuDs', 'reserved2']),
  ...fields(x32, ['mxcsr', 'mxcsrMask']),
  st: { kind: array(bytes(16), 8), doc: 'ST0 to ST7, or MM0 to MM7' },
  xmm: { kind: array(bytes(16), 16), doc: 'XMM0 to XMM15' },
});

const fxsaveKind: Kind<Uint8Array> = {
  ...bytes(416),
  parts: (image) => fpuImage.parts(fpuImage.read(new Cursor(image))),
};

/** Legacy FPU and SSE state after the guest context: the first 416 bytes of an FXSAVE image. */
export const fpuState = defineStruct('x87 and SSE state, cpum versions 17–24', 'CPUM.cpp, g_aCpumX87Fields', {
  begin,
  fxsave: { kind: fxsaveKind, doc: 'bytes 0–415 of an FXSAVE image' },
  software: { kind: u32, doc: 'first dword of the part reserved for software' },
  end,
});

/** Follows the x87 state if there is more extended state. */
export const xStateHeader = defineStruct(
  'Header of the extended state, cpum versions 17–24',
  'CPUM.cpp, g_aCpumXSaveHdrFields',
  {
    begin,
    inUse: u64('bmXState: components in use'),
    end,
  },
);

export const CONTEXT_SIZE = guestContext.size();
export const CONTEXT_END = CONTEXT_SIZE - 4;
