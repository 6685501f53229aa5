import { Cursor } from '../../../../formats/binary/cursor.ts';
import { Writer } from '../../../../formats/binary/writer.ts';
import { GENERAL_REGISTERS } from '../../../../formats/qemu/cpu.ts';
import type { CpumUnit } from '../../../../formats/units/cpu/cpum-codec.ts';
import { fpuImage, type GuestContext, type Selector } from '../../../../formats/units/cpu/cpum-layouts.ts';
import type { SectionImage } from '../../template/section-image.ts';
import {
  ATTRIBUTES,
  ATTRIBUTES_SHIFT,
  DEBUG_REGISTERS,
  FIXED_MTRRS,
  Msr,
  SAME,
  SEGMENTS,
  UNUSABLE,
  VARIABLE_MTRRS,
} from './cpu.ts';

/** Bit of a present segment; QEMU has no mark for an unusable one. */
const PRESENT = 0x80;
const VALID = 1;

/** Takes the registers out of section `cpu` into a CPU of unit cpum. */
export function takeCpuBack(section: SectionImage, cpu: CpumUnit['cpus'][number]): void {
  const context = cpu.context as GuestContext;
  for (const [i, name] of GENERAL_REGISTERS.entries()) context[name] = section.number(`env.regs[${i}]`);
  for (const [theirs, ours] of SAME) context[ours] = section.number(theirs);
  for (const [i, number] of DEBUG_REGISTERS.entries()) context.dr[i] = section.number(`env.dr[${number}]`);
  context.rflags = section.number('env.eflags');
  for (const [i, name] of SEGMENTS.entries()) context[name] = segmentOf(section, `env.segs[${i}]`);
  context.ldtr = segmentOf(section, 'env.ldt');
  context.tr = busyTask(segmentOf(section, 'env.tr'));
  context.gdtr = { base: section.number('env.gdt.base'), limit: Number(section.number('env.gdt.limit') & 0xffffn) };
  context.idtr = { base: section.number('env.idt.base'), limit: Number(section.number('env.idt.limit') & 0xffffn) };
  (cpu.fpu as { fxsave: Uint8Array }).fxsave = fxsaveOf(section, (cpu.fpu as { fxsave: Uint8Array }).fxsave);
  takeUpperHalves(section, cpu);
  const msrs = cpu.msrs as bigint[];
  const put = (index: number, path: string) => {
    if (index < msrs.length) msrs[index] = section.number(path);
  };
  put(Msr.TSC_AUX, 'env.tsc_aux');
  put(Msr.MTRR_DEF_TYPE, 'env.mtrr_deftype');
  for (let i = 0; i < FIXED_MTRRS; i++) put(Msr.MTRR_FIXED + i, `env.mtrr_fixed[${i}]`);
  for (let i = 0; i < VARIABLE_MTRRS; i++) {
    put(Msr.MTRR_VARIABLE + 2 * i, `env.mtrr_var[${i}].base`);
    put(Msr.MTRR_VARIABLE + 2 * i + 1, `env.mtrr_var[${i}].mask`);
  }
}

/** Takes the upper halves of YMM registers, if the guest has them in VirtualBox. */
function takeUpperHalves(section: SectionImage, cpu: CpumUnit['cpus'][number]): void {
  const { ymm } = cpu as { ymm?: { content: Uint8Array } };
  if (!ymm) return;
  const view = new DataView(ymm.content.buffer, ymm.content.byteOffset, ymm.content.byteLength);
  for (let word = 0; word < ymm.content.length / 8; word++)
    view.setBigUint64(8 * word, section.number(`env.xmm_regs[1][${word >> 1}]._q_ZMMReg[${2 + (word & 1)}]`), true);
}

function segmentOf(section: SectionImage, path: string): Selector {
  const number = (part: string) => Number(section.number(`${path}.${part}`));
  const shown = (number('flags') >>> ATTRIBUTES_SHIFT) & ATTRIBUTES;
  const selector = number('selector');
  const attributes = (shown & PRESENT) === 0 ? shown | UNUSABLE : shown;
  return {
    ...{ selector, validSelector: selector, flags: VALID, attributes },
    ...{ base: section.number(`${path}.base`), limit: number('limit') >>> 0 },
  };
}

/** Bit of the type of a task state segment. */
const BUSY = 2;

/**
 * A task that runs is busy. QEMU sets the bit in memory alone; VirtualBox ends a guest whose task register lacks the
 * bit.
 */
function busyTask(task: Selector): Selector {
  return { ...task, attributes: task.attributes | BUSY };
}

function fxsaveOf(section: SectionImage, before: Uint8Array): Uint8Array {
  const image = fpuImage.read(new Cursor(before));
  const number = (path: string) => Number(section.number(path));
  image.fcw = number('env.fpuc');
  image.fsw = number('env.fpus_vmstate');
  image.ftw = number('env.fptag_vmstate');
  image.mxcsr = number('env.mxcsr');
  const top = (image.fsw >>> 11) & 7;
  image.st = image.st.map((_, n) => {
    const stored = section.bytes(`env.fpregs[${(top + n) % 8}].tmp`);
    const bytes = new Uint8Array(16);
    bytes.set(stored.slice(0, 8).reverse());
    bytes.set(stored.slice(8, 10).reverse(), 8);
    return bytes;
  });
  image.xmm = image.xmm.map((_, n) => {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (const word of [0, 1])
      view.setBigUint64(8 * word, section.number(`env.xmm_regs[0][${n}]._q_ZMMReg[${word}]`), true);
    return bytes;
  });
  const writer = new Writer();
  fpuImage.write(writer, image);
  return writer.view().slice();
}
