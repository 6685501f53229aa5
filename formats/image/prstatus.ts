import { Writer } from '../binary/writer.ts';
import type { GuestContext } from '../units/cpum-layouts.ts';

// The registers of a CPU as Linux notes them in cores (core-dump.md 2.2). Source: elfcore.h, struct elf_prstatus; user_64.h, struct user_regs_struct.

/** 32 bytes of signals, four process ids, four times: nothing of it means anything here but the first id. */
const PID_OFFSET = 32;
const REGISTERS_OFFSET = 112;
/** With 27 registers, and the flag `pr_fpvalid` padded to 8 bytes. */
const PRSTATUS_SIZE = 336;
/** "No system call": what stands in the place of `orig_rax`. */
const NO_SYSTEM_CALL = 0xffff_ffff_ffff_ffffn;

/** @param id what debuggers call the CPU: they take 0 for none */
export function prstatus(c: GuestContext, id: number): Uint8Array {
  const writer = new Writer(undefined, PRSTATUS_SIZE);
  const registers = [
    ...[c.r15, c.r14, c.r13, c.r12, c.rbp, c.rbx, c.r11, c.r10, c.r9, c.r8, c.rax, c.rcx, c.rdx, c.rsi, c.rdi],
    ...[NO_SYSTEM_CALL, c.rip, BigInt(c.cs.selector), c.rflags, c.rsp, BigInt(c.ss.selector), c.fs.base, c.gs.base],
    ...[c.ds, c.es, c.fs, c.gs].map(({ selector }) => BigInt(selector)),
  ];
  for (const register of registers) writer.bigU64(register);
  const descriptor = new Uint8Array(PRSTATUS_SIZE);
  descriptor.set(writer.view(), REGISTERS_OFFSET);
  new DataView(descriptor.buffer).setUint32(PID_OFFSET, id, true);
  return descriptor;
}
