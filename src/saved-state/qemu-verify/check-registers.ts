import { hex } from '../../../formats/errors.ts';
import type { QemuCpu } from '../../../formats/qemu/cpu.ts';
import { CR0_PE, CR0_PG, CR4_PAE, EFER_LMA, EFER_LME } from '../../paging/modes.ts';
import { PAGE_MASK_64 } from '../../paging/schemes.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import type { Findings } from '../reading/findings.ts';

/** Finds registers that no x86 CPU can have, alone or together. QEMU loads them without a message. */
export function checkRegisters(cpu: QemuCpu, { blocks, configuration }: QemuState, findings: Findings): void {
  const { index, registers } = cpu;
  const { cr0 = 0n, cr3 = 0n, cr4 = 0n, efer = 0n } = registers;
  const has = (value: bigint, bit: bigint) => (value & bit) !== 0n;
  const odd = (what: string) => {
    const message = `CPU ${index}: ${what}; no CPU has such registers, but QEMU loads them without a message`;
    findings.add({ severity: 'error', code: 'bad-registers', message, place: { unit: 'cpu', instance: index } });
  };
  if (has(cr0, CR0_PG) && !has(cr0, CR0_PE)) odd(`CR0 is ${hex(cr0)}, paging without protected mode`);
  if (has(efer, EFER_LMA) !== (has(efer, EFER_LME) && has(cr0, CR0_PG)))
    odd(`EFER is ${hex(efer)} and CR0 ${hex(cr0)}: long mode is active if and only if it is enabled and paging is on`);
  if (has(efer, EFER_LMA) && !has(cr4, CR4_PAE)) odd(`CR4 is ${hex(cr4)}, long mode without PAE`);
  const root = cr3 & PAGE_MASK_64;
  const ranges = blocks.flatMap((block) => block.ranges);
  if (has(cr0, CR0_PG) && !ranges.some(({ start, end }) => root >= BigInt(start) && root < BigInt(end)))
    odd(`CR3 is ${hex(cr3)}, where there is no memory`);
  for (const what of oddAlone(cpu, takesPlainDebugRegisters(configuration.machine))) odd(what);
  for (const what of oddHiddenFlags(cpu)) odd(what);
  for (const what of oddSegments(cpu)) odd(what);
}

/** Bits that are 0 in every processor so far, and bits that are always 1. */
const FIXED: readonly [register: string, zeros: bigint, ones: bigint][] = [
  ['cr0', ~0xe005_003fn, 0n],
  ['cr4', ~0x1_1bff_7fffn, 0n],
  ['cr3', 0x1ff0_0000_0000_0000n, 0n],
  ['efer', ~0x0036_fd01n, 0n],
  ['rflags', ~0x003f_7fd7n, 0x2n],
  ['xcr0', ~0x4000_0000_000e_02ffn, 1n],
  ['dr6', ~0xffff_efffn, 0xfffe_07f0n],
  ['dr7', ~0xffff_2fffn, 0x400n],
];
/** Types of memory in the page attribute table. */
const PAT_TYPES = [0, 1, 4, 5, 6, 7];
/** Registers that take canonical addresses only. */
const ADDRESSES = ['lstar', 'cstar', 'sysenterEsp', 'sysenterEip', 'kernelgsbase'];
const BASES = ['fs', 'gs', 'gdtr', 'idtr', 'ldtr', 'tr'];
const WIDEST_ADDRESS = 57;
/** All addresses, or all but those with bit 20. */
const A20_MASKS = [0xffff_ffffn, 0xffef_ffffn];

/**
 * Whether the state may come from a QEMU before 2.5. Without KVM, such a QEMU kept the guest's values of DR6 and DR7
 * (zeros with Linux), without the bits that are always 1. A machine type is never newer than the QEMU that wrote it.
 */
function takesPlainDebugRegisters(machine: string | undefined): boolean {
  const [major, minor] = (/-(\d+)\.(\d+)/.exec(machine ?? '') ?? []).slice(1).map(Number);
  return major === undefined || major < 2 || (major === 2 && minor < 5);
}

function* oddAlone({ registers, segments, a20Mask }: QemuCpu, hasPlainDebug: boolean): Generator<string> {
  for (const [name, zeros, fixedOnes] of FIXED) {
    const value = registers[name];
    const ones = hasPlainDebug && name.startsWith('dr') ? 0n : fixedOnes;
    if (value !== undefined && ((value & BigInt.asUintN(64, zeros)) !== 0n || (value & ones) !== ones))
      yield `${name.toUpperCase()} is ${hex(value)}, with bits that are reserved`;
  }
  const { pat } = registers;
  if (
    pat !== undefined &&
    [0, 1, 2, 3, 4, 5, 6, 7].some((i) => !PAT_TYPES.includes(Number((pat >> BigInt(8 * i)) & 0xffn)))
  )
    yield `PAT is ${hex(pat)}, with a type of memory that does not exist`;
  const addresses = [
    ...ADDRESSES.map((name) => [name, registers[name]] as const),
    ...BASES.map((name) => [`the base of ${name}`, segments[name]?.base] as const),
  ];
  for (const [name, value] of addresses)
    if (value !== undefined && BigInt.asUintN(64, BigInt.asIntN(WIDEST_ADDRESS, value)) !== value)
      yield `${name} is ${hex(value)}, which is no canonical address`;
  if (a20Mask !== undefined && !A20_MASKS.includes(a20Mask)) yield `the mask of the A20 gate is ${hex(a20Mask)}`;
}

/** Bits of a register that QEMU's hidden flags repeat: first bit in the register, first bit in the flags, count. */
const REPEATED: readonly [register: string, from: number, to: number, count: number][] = [
  ['cr0', 0, 7, 1],
  ['cr0', 1, 9, 3],
  ['cr4', 9, 22, 1],
  ['efer', 10, 14, 1],
  ['rflags', 8, 8, 1],
  ['rflags', 12, 12, 2],
  ['rflags', 17, 17, 1],
];

function* oddHiddenFlags({ registers, hiddenFlags }: QemuCpu): Generator<string> {
  if (hiddenFlags === undefined) return;
  for (const [name, from, to, count] of REPEATED) {
    const value = registers[name];
    const mask = (1n << BigInt(count)) - 1n;
    if (value === undefined || ((value >> BigInt(from)) & mask) === ((hiddenFlags >> BigInt(to)) & mask)) continue;
    yield `${name.toUpperCase()} is ${hex(value)}, and QEMU's own flags of the mode ` +
      `(${hex(hiddenFlags)}) say otherwise`;
  }
}

/** Bits in the second word of a descriptor. */
const SegmentFlag = { PRESENT: 1 << 15, LONG: 1 << 21, GRANULARITY: 1 << 23 };
const DPL_SHIFT = 13;
/** Bits of QEMU's hidden flags: privilege level, 64-bit code. */
const HIDDEN_CPL = 3n;
const HIDDEN_LONG = 1n << 15n;
/** Bit of the flags register: virtual 8086 mode. */
const VM = 1n << 17n;

function* oddSegments({ registers, segments, hiddenFlags }: QemuCpu): Generator<string> {
  for (const name of ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr']) {
    const { limit = 0, flags = 0 } = segments[name] ?? {};
    if ((flags & SegmentFlag.PRESENT) === 0) continue;
    const isCoarse = (flags & SegmentFlag.GRANULARITY) !== 0;
    if (isCoarse ? (limit & 0xfff) !== 0xfff : limit > 0xf_ffff)
      yield `the limit of ${name} is ${hex(limit)}, which its flags (${hex(flags)}) do not allow`;
  }
  const { cs, ss } = segments;
  if (hiddenFlags === undefined || !cs || !ss) return;
  const { cr0 = 0n, efer = 0n, rflags = 0n } = registers;
  const isLong = (efer & EFER_LMA) !== 0n && (cs.flags & SegmentFlag.LONG) !== 0;
  const says = `QEMU's own flags of the mode (${hex(hiddenFlags)}) say otherwise`;
  if (isLong !== ((hiddenFlags & HIDDEN_LONG) !== 0n)) yield `CS has the flags ${hex(cs.flags)}, and ${says}`;
  if ((cr0 & CR0_PE) === 0n || (rflags & VM) !== 0n) return;
  if (((ss.flags >>> DPL_SHIFT) & 3) !== Number(hiddenFlags & HIDDEN_CPL))
    yield `SS has the flags ${hex(ss.flags)}, and ${says}`;
}
