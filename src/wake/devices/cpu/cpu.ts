import { Cursor } from '../../../../formats/binary/cursor.ts';
import { GENERAL_REGISTERS } from '../../../../formats/qemu/cpu.ts';
import type { Selector } from '../../../../formats/units/cpu/cpum-layouts.ts';
import { fpuImage } from '../../../../formats/units/cpu/cpum-layouts.ts';
import type { FieldValue, SectionImage } from '../../template/section-image.ts';
import type { CpuState } from '../../units/cpu-state.ts';
import { hiddenFlags, ownFlags } from './cpu-flags.ts';

/** Segment registers by number. */
export const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

/** Attribute bit of an unusable segment. */
export const UNUSABLE = 0x10000;
/** Attributes of a segment are in the second word of its descriptor, from bit 8 on. */
export const ATTRIBUTES_SHIFT = 8;
export const ATTRIBUTES = 0xf0ff;
const PRESENT = 0x8000;

/** Defined bits of RFLAGS. */
const FLAGS = 0x3f7fd5n;
const FLAGS_ONES = 2n;
/** Extended state of every CPU: x87 and SSE. */
const LEGACY_STATE = 3n;

/** MSRs of unit cpum by index. */
export const Msr = { TSC_AUX: 0, MTRR_DEF_TYPE: 2, MTRR_FIXED: 3, MTRR_VARIABLE: 18 } as const;
export const FIXED_MTRRS = 11;
export const VARIABLE_MTRRS = 8;

/** MSRs and registers of the same name in both machines: `[QEMU, VirtualBox]`. */
export const SAME = [
  ['env.cr[0]', 'cr0'],
  ['env.cr[2]', 'cr2'],
  ['env.cr[3]', 'cr3'],
  ['env.cr[4]', 'cr4'],
  ['env.eip', 'rip'],
  ['env.efer', 'efer'],
  ['env.star', 'star'],
  ['env.lstar', 'lstar'],
  ['env.cstar', 'cstar'],
  ['env.fmask', 'sfmask'],
  ['env.kernelgsbase', 'kernelGsBase'],
  ['env.pat', 'pat'],
  ['env.sysenter_cs', 'sysenterCs'],
  ['env.sysenter_esp', 'sysenterEsp'],
  ['env.sysenter_eip', 'sysenterEip'],
  ['env.xcr0', 'xcr0'],
] as const;

/** Numbers of the debug registers in the order of the unit. */
export const DEBUG_REGISTERS = [0, 1, 2, 3, 6, 7];

const A20_OPEN = -1n;
const A20_CLOSED = -0x10_0001n;

/** Puts the registers of a CPU into section `cpu`. */
export function wakeCpu(cpu: CpuState, section: SectionImage): void {
  const { context } = cpu;
  const put = (path: string, value: FieldValue | number) =>
    section.set(path, typeof value === 'number' ? BigInt(value) : value);
  for (const [i, name] of GENERAL_REGISTERS.entries()) put(`env.regs[${i}]`, context[name]);
  for (const [theirs, ours] of SAME) put(theirs, context[ours]);
  for (const [i, number] of DEBUG_REGISTERS.entries()) put(`env.dr[${number}]`, context.dr[i]);
  put('env.eflags', (context.rflags & FLAGS) | FLAGS_ONES);
  for (const [i, name] of SEGMENTS.entries()) putSegment(section, `env.segs[${i}]`, context[name]);
  putSegment(section, 'env.ldt', context.ldtr);
  putSegment(section, 'env.tr', context.tr);
  for (const [theirs, { base, limit }] of [['env.gdt', context.gdtr] as const, ['env.idt', context.idtr] as const]) {
    put(`${theirs}.base`, base);
    put(`${theirs}.limit`, limit);
  }
  put('env.hflags', (section.number('env.hflags') & ~ownFlags) | hiddenFlags(context));
  put('env.tsc', cpu.tsc);
  put('env.a20_mask', cpu.a20 ? A20_OPEN : A20_CLOSED);
  wakeExtendedState(cpu, section);
  wakeMsrs(cpu, section);
}

function putSegment(section: SectionImage, path: string, { selector, base, limit, attributes }: Selector): void {
  const isUnusable = (attributes & UNUSABLE) !== 0;
  const shown = attributes & ATTRIBUTES & (isUnusable ? ~(PRESENT >>> ATTRIBUTES_SHIFT) : ATTRIBUTES);
  section.set(`${path}.selector`, BigInt(selector));
  section.set(`${path}.base`, base);
  section.set(`${path}.limit`, BigInt(limit));
  section.set(`${path}.flags`, BigInt(shown << ATTRIBUTES_SHIFT));
}

const FPU_REGISTERS = 8;
const MANTISSA_SIZE = 8;
const ST_SIZE = 10;

/**
 * Puts x87, SSE and AVX registers into section `cpu`. QEMU orders x87 registers by number, FXSAVE by their places on
 * the stack.
 */
function wakeExtendedState({ context, fxsave, ymm, xStateInUse }: CpuState, section: SectionImage): void {
  const { fcw, fsw, ftw, mxcsr, st, xmm } = fpuImage.read(new Cursor(fxsave));
  section.set('env.fpuc', BigInt(fcw));
  section.set('env.fpus_vmstate', BigInt(fsw));
  section.set('env.fptag_vmstate', BigInt(ftw));
  section.set('env.mxcsr', BigInt(mxcsr));
  const top = (fsw >>> 11) & 7;
  for (const [n, bytes] of st.entries()) {
    const stored = new Uint8Array(ST_SIZE);
    stored.set(bytes.slice(0, MANTISSA_SIZE).reverse());
    stored.set(bytes.slice(MANTISSA_SIZE, ST_SIZE).reverse(), MANTISSA_SIZE);
    section.set(`env.fpregs[${(top + n) % FPU_REGISTERS}].tmp`, stored);
  }
  for (const [n, bytes] of xmm.entries())
    putWords(section, (word) => `env.xmm_regs[0][${n}]._q_ZMMReg[${word}]`, bytes, 0);
  if (ymm)
    for (let n = 0; n < xmm.length; n++)
      putWords(section, (word) => `env.xmm_regs[1][${n}]._q_ZMMReg[${word}]`, ymm.subarray(16 * n, 16 * n + 16), 2);
  // KVM ignores components that are not marked as in use; x87 and SSE are marked in any case.
  section.set('env.xstate_bv', LEGACY_STATE | ((xStateInUse ?? 0n) & context.xcr0));
}

/** Puts 16 bytes into two words of 64 bits, numbered from `first` on. */
function putWords(section: SectionImage, path: (word: number) => string, bytes: Uint8Array, first: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const word of [0, 1]) section.set(path(first + word), view.getBigUint64(8 * word, true));
}

/** Releases before 5.0 do not save all MSRs; the missing ones keep QEMU's values after a reset. */
function wakeMsrs({ msrs }: CpuState, section: SectionImage): void {
  const put = (path: string, index: number) => {
    if (index < msrs.length) section.set(path, msrs[index]);
  };
  put('env.tsc_aux', Msr.TSC_AUX);
  put('env.mtrr_deftype', Msr.MTRR_DEF_TYPE);
  for (let i = 0; i < FIXED_MTRRS; i++) put(`env.mtrr_fixed[${i}]`, Msr.MTRR_FIXED + i);
  for (let i = 0; i < VARIABLE_MTRRS; i++) {
    put(`env.mtrr_var[${i}].base`, Msr.MTRR_VARIABLE + 2 * i);
    put(`env.mtrr_var[${i}].mask`, Msr.MTRR_VARIABLE + 2 * i + 1);
  }
}
