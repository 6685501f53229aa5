import { Writer } from '../binary/writer.ts';
import type { GuestContext } from '../units/cpu/cpum-layouts.ts';

// The registers of a CPU as Linux notes them in cores (core-dump.md 2.2). Source: elfcore.h, struct elf_prstatus;
// user_64.h and user_32.h, struct user_regs_struct. Of the fields before the registers (signals and times of a
// process), only the process id has a meaning here.

const LAYOUT_64 = { pid: 32, registers: 112, size: 336 };
const LAYOUT_32 = { pid: 24, registers: 72, size: 144 };
/** Value of `orig_rax` for "no system call". */
const NO_SYSTEM_CALL = 0xffff_ffff_ffff_ffffn;

/** @param id the thread number that debuggers show for the CPU; not 0, which means none */
export function prstatus64(c: GuestContext, id: number): Uint8Array {
  const writer = new Writer();
  const general = [
    c.r15,
    c.r14,
    c.r13,
    c.r12,
    c.rbp,
    c.rbx,
    c.r11,
    c.r10,
    c.r9,
    c.r8,
    c.rax,
    c.rcx,
    c.rdx,
    c.rsi,
    c.rdi,
    NO_SYSTEM_CALL,
  ];
  const rest = [
    c.rip,
    selectorOf(c.cs),
    c.rflags,
    c.rsp,
    selectorOf(c.ss),
    c.fs.base,
    c.gs.base,
    ...[c.ds, c.es, c.fs, c.gs].map(selectorOf),
  ];
  for (const register of [...general, ...rest]) writer.bigU64(register);
  return descriptor(LAYOUT_64, id, writer.view());
}

/** The note for a CPU that is not in long mode: the lower halves of its registers. */
export function prstatus32(c: GuestContext, id: number): Uint8Array {
  const writer = new Writer();
  const general = [
    c.rbx,
    c.rcx,
    c.rdx,
    c.rsi,
    c.rdi,
    c.rbp,
    c.rax,
    ...[c.ds, c.es, c.fs, c.gs].map(selectorOf),
    NO_SYSTEM_CALL,
  ];
  for (const register of [...general, c.rip, selectorOf(c.cs), c.rflags, c.rsp, selectorOf(c.ss)])
    writer.u32(Number(register & 0xffff_ffffn));
  return descriptor(LAYOUT_32, id, writer.view());
}

function selectorOf({ selector }: { selector: number }): bigint {
  return BigInt(selector);
}

function descriptor({ pid, registers, size }: typeof LAYOUT_64, id: number, values: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(values, registers);
  new DataView(bytes.buffer).setUint32(pid, id, true);
  return bytes;
}
