import type { Cursor } from '../../binary/cursor.ts';
import { array, bytes, type Kind, mask64, u16 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct, type Struct, type StructValue } from '../../binary/struct.ts';
import { type ControlOffsets, type GuestContext, type Selector, selectorKind, tableKind } from './cpum-layouts.ts';

// Guest contexts of cpum versions 6 to 16. Source: CPUM.cpp of 4.3, which reads them all (g_aCpumCtxFields, …Mem,
// …V16); pgm-unit.md 10.2.

const u64 = { kind: mask64, doc: '' };
/** 32 bits of a register that has 64 bits in later versions. */
const low32: Kind<bigint> = {
  name: 'u32',
  size: () => 4,
  read: (c) => BigInt(c.u32()),
  write: (w, v) => w.u32(Number(v)),
};
const fxsave = { kind: bytes(416), doc: 'bytes 0–415 of an FXSAVE image' };
const skip = (count: number) => ({ kind: bytes(count), doc: 'not used' });

/** All but RSP, which stands at two places. */
const GENERAL = { rdi: u64, rsi: u64, rbp: u64, rax: u64, rbx: u64, rdx: u64, rcx: u64 };
const NUMBERED = { r8: u64, r9: u64, r10: u64, r11: u64, r12: u64, r13: u64, r14: u64, r15: u64 };
const CONTROL = { cr0: u64, cr2: u64, cr3: u64, cr4: u64 };
const SYSENTER = { sysenterCs: u64, sysenterEip: u64, sysenterEsp: u64 };
const MSRS = { efer: u64, star: u64, pat: u64, lstar: u64, cstar: u64, sfmask: u64 };

const selector = { kind: selectorKind, doc: '' };
const table = { kind: tableKind, doc: '' };

/** A structure with markers; 924 bytes. */
const structured = defineStruct('Guest context, cpum versions 14–16', 'CPUM.cpp, g_aCpumCtxFields', {
  begin,
  fxsave,
  ...GENERAL,
  rsp: u64,
  rflags: u64,
  rip: u64,
  ...NUMBERED,
  ...{ es: selector, cs: selector, ss: selector, ds: selector, fs: selector, gs: selector },
  ...CONTROL,
  dr: { kind: array(mask64, 6), doc: 'DR0–DR3, DR6, DR7' },
  gdtr: table,
  idtr: table,
  ...SYSENTER,
  ...MSRS,
  kernelGsBase: u64,
  ldtr: selector,
  tr: selector,
  end,
});

interface Hidden {
  base: bigint;
  limit: number;
  attributes: number;
}

function hiddenKind(base: Kind<bigint>): Kind<Hidden> {
  return {
    name: 'hidden part of a segment register',
    size: (widths) => base.size(widths) + 8,
    read: (c) => ({ base: base.read(c), limit: c.u32(), attributes: c.u32() }),
    write: (w, { base: address, limit, attributes }) => {
      base.write(w, address);
      w.u32(limit);
      w.u32(attributes);
    },
  };
}

function tableOf(base: Kind<bigint>): Kind<{ limit: number; base: bigint }> {
  return {
    name: 'table register',
    size: (widths) => 2 + base.size(widths),
    read: (c) => ({ limit: c.u16(), base: base.read(c) }),
    write: (w, { limit, base: address }) => {
      w.u16(limit);
      base.write(w, address);
    },
  };
}

const selectorOnly = { kind: u16, doc: '' };
const pad = skip(2);

/** Selectors without their hidden parts, from GS on. */
const SELECTORS = {
  gsSel: selectorOnly,
  pad1: pad,
  fsSel: selectorOnly,
  pad2: pad,
  esSel: selectorOnly,
  pad3: pad,
  dsSel: selectorOnly,
  pad4: pad,
  csSel: selectorOnly,
  pad5: skip(6),
};
const hidden = (base: Kind<bigint>) => ({ kind: hiddenKind(base), doc: '' });
const hiddenParts = (base: Kind<bigint>) => {
  const part = hidden(base);
  return { es: part, cs: part, ss: part, ds: part, fs: part, gs: part };
};

/** The structure as VirtualBox has it in memory; 1024 bytes. */
const raw8 = defineStruct('Guest context, cpum versions 8–13', 'CPUM.cpp, g_aCpumCtxFieldsMem', {
  fxsave,
  fxRest: skip(96),
  ...GENERAL,
  rsp: u64,
  lssEsp: skip(4),
  ssSel: selectorOnly,
  pad0: pad,
  ...SELECTORS,
  rflags: u64,
  rip: u64,
  ...NUMBERED,
  ...hiddenParts(mask64),
  ...CONTROL,
  dr: { kind: array(mask64, 8), doc: 'DR0–DR7' },
  gdtr: { kind: tableOf(mask64), doc: '' },
  pad6: pad,
  idtr: { kind: tableOf(mask64), doc: '' },
  pad7: pad,
  ldtrSel: selectorOnly,
  pad8: pad,
  trSel: selectorOnly,
  pad9: pad,
  ...SYSENTER,
  ...MSRS,
  kernelGsBase: u64,
  ldtr: hidden(mask64),
  tr: hidden(mask64),
});

/** The structure of 1.6, with addresses of 32 bits; 1032 bytes. */
const raw6 = defineStruct('Guest context, cpum version 6', 'CPUM.cpp, g_aCpumCtxFieldsV16', {
  fxsave,
  fxRest: skip(96),
  ...GENERAL,
  rsp: { kind: low32, doc: '' },
  ssSel: selectorOnly,
  pad0: pad,
  rspNotUsed: skip(8),
  ...SELECTORS,
  rflags: u64,
  rip: u64,
  ...NUMBERED,
  ...hiddenParts(low32),
  ...CONTROL,
  cr8: u64,
  dr: { kind: array(mask64, 8), doc: 'DR0–DR7' },
  gdtr: { kind: tableOf(low32), doc: '' },
  pad6: skip(10),
  idtr: { kind: tableOf(low32), doc: '' },
  pad7: skip(10),
  ldtrSel: selectorOnly,
  pad8: pad,
  trSel: selectorOnly,
  pad9: pad,
  ...SYSENTER,
  ...MSRS,
  fsGsBase: skip(16),
  kernelGsBase: u64,
  ldtr: hidden(low32),
  tr: hidden(low32),
  pad10: skip(8),
});

/** Extended state for versions without it: VirtualBox loads them with the x87 alone. */
const NO_EXTENDED_STATE = { xcr0: 1n, xcr1: 0n, xStateMask: 0n } as const;

/** Form in which a version keeps the context of one CPU. */
export interface OldContext {
  size: number;
  /** Offsets of the control registers in it. */
  offsets: ControlOffsets;
  read(cursor: Cursor): { context: GuestContext; fxsave: Uint8Array };
}

function withoutMarkers({ size, read, offsets }: typeof structured): OldContext {
  return {
    size: size(),
    offsets,
    read: (cursor) => {
      const { fxsave: image, ...registers } = read(cursor);
      return { context: { ...registers, ...NO_EXTENDED_STATE }, fxsave: image };
    },
  };
}

type RawValue = Omit<StructValue<typeof raw8>, 'lssEsp'>;

function withSelectors({ size, read, offsets }: Pick<Struct<RawValue>, 'size' | 'read' | 'offsets'>): OldContext {
  return {
    size: size(),
    offsets,
    read: (cursor) => {
      const raw = read(cursor);
      const { rdi, rsi, rbp, rax, rbx, rdx, rcx, rsp, rflags, rip, r8, r9, r10, r11, r12, r13, r14, r15 } = raw;
      const {
        cr0,
        cr2,
        cr3,
        cr4,
        gdtr,
        idtr,
        sysenterCs,
        sysenterEip,
        sysenterEsp,
        efer,
        star,
        pat,
        lstar,
        cstar,
        sfmask,
        kernelGsBase,
      } = raw;
      const dr = raw.dr.filter((_, i) => i !== 4 && i !== 5);
      const segments = {
        ...{
          es: joined(raw.esSel, raw.es),
          cs: joined(raw.csSel, raw.cs),
          ss: joined(raw.ssSel, raw.ss),
          ds: joined(raw.dsSel, raw.ds),
        },
        ...{
          fs: joined(raw.fsSel, raw.fs),
          gs: joined(raw.gsSel, raw.gs),
          ldtr: joined(raw.ldtrSel, raw.ldtr),
          tr: joined(raw.trSel, raw.tr),
        },
      };
      const general = { rdi, rsi, rbp, rax, rbx, rdx, rcx, rsp, rflags, rip, r8, r9, r10, r11, r12, r13, r14, r15 };
      const system = {
        cr0,
        cr2,
        cr3,
        cr4,
        dr,
        gdtr,
        idtr,
        sysenterCs,
        sysenterEip,
        sysenterEsp,
        efer,
        star,
        pat,
        lstar,
        cstar,
        sfmask,
        kernelGsBase,
      };
      return { context: { ...general, ...segments, ...system, ...NO_EXTENDED_STATE }, fxsave: raw.fxsave };
    },
  };
}

/** A selector with its hidden part; these versions do not tell whether both belong together. */
function joined(sel: number, part: Hidden): Selector {
  return { selector: sel, validSelector: sel, flags: 0, ...part };
}

export const CONTEXT_6 = withSelectors(raw6);
export const CONTEXT_8 = withSelectors(raw8);
export const CONTEXT_14 = withoutMarkers(structured);
