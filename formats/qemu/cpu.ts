import type { DescribedField, DescribedPart } from './description.ts';
import { type DeviceField, fieldsOf } from './device-fields.ts';
import type { DeviceSection } from './device-sections.ts';

/** A segment register. `flags` is the second word of the descriptor. */
export interface QemuSegment {
  selector: number;
  base: bigint;
  limit: number;
  flags: number;
}

/** Registers of one CPU, by lower-case names; segments and tables apart. */
export interface QemuCpu {
  index: number;
  registers: Record<string, bigint>;
  segments: Record<string, QemuSegment>;
  /** The A20 gate lets address bit 20 through. */
  a20: boolean;
  /** Mask of physical addresses; undefined where the description has no such field. */
  a20Mask: bigint | undefined;
  /** QEMU's own flags of the mode that the CPU is in, which repeat bits of its registers. */
  hiddenFlags: bigint | undefined;
}

export const CPU_SECTION = 'cpu';

/** General registers, numbered as the processor does. */
export const GENERAL_REGISTERS = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];

/** Names of the description by our names. Source: qemu-stream.md 8. */
const FIELDS: Record<string, string> = {
  ...Object.fromEntries(GENERAL_REGISTERS.map((name, i) => [name, `env.regs[${i}]`])),
  rip: 'env.eip',
  rflags: 'env.eflags',
  cr0: 'env.cr[0]',
  cr2: 'env.cr[2]',
  cr3: 'env.cr[3]',
  cr4: 'env.cr[4]',
  efer: 'env.efer',
  star: 'env.star',
  lstar: 'env.lstar',
  cstar: 'env.cstar',
  fmask: 'env.fmask',
  kernelgsbase: 'env.kernelgsbase',
  pat: 'env.pat',
  xcr0: 'env.xcr0',
  sysenterCs: 'env.sysenter_cs',
  sysenterEsp: 'env.sysenter_esp',
  sysenterEip: 'env.sysenter_eip',
  ...Object.fromEntries([0, 1, 2, 3, 6, 7].map((n) => [`dr${n}`, `env.dr[${n}]`])),
};
const TABLES: Record<string, string> = {
  ...Object.fromEntries(SEGMENTS.map((name, i) => [name, `env.segs[${i}]`])),
  ldtr: 'env.ldt',
  tr: 'env.tr',
  gdtr: 'env.gdt',
  idtr: 'env.idt',
};

/**
 * Reads the registers of an x86 CPU by the description, or without a description by the layout of `VERSION`;
 * undefined for a CPU of another architecture or layout.
 */
export function readCpu({ body, described, instance, version }: DeviceSection): QemuCpu | undefined {
  const layout = described ?? layoutOf(version, body);
  if (!layout) return undefined;
  const fields = new Map<string, DeviceField>();
  for (const field of fieldsOf(layout)) fields.set(field.path, field);
  if (!fields.has('env.eip')) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const read = (path: string): bigint | undefined => {
    const field = fields.get(path);
    if (!field || field.offset + field.size > body.length) return undefined;
    return field.size === 8
      ? view.getBigUint64(field.offset)
      : field.size === 4
        ? BigInt(view.getUint32(field.offset))
        : undefined;
  };
  const a20Mask = read('env.a20_mask');
  const cpu: QemuCpu = {
    index: instance,
    registers: {},
    segments: {},
    a20: ((a20Mask ?? 0xffffffffn) & 0x100000n) !== 0n,
    a20Mask,
    hiddenFlags: read('env.hflags'),
  };
  for (const [name, path] of Object.entries(FIELDS)) {
    const value = read(path);
    if (value !== undefined) cpu.registers[name] = value;
  }
  for (const [name, path] of Object.entries(TABLES)) {
    const base = read(`${path}.base`);
    if (base === undefined) continue;
    cpu.segments[name] = {
      selector: Number(read(`${path}.selector`)),
      base,
      limit: Number(read(`${path}.limit`)),
      flags: Number(read(`${path}.flags`)),
    };
  }
  return cpu;
}

// Section `cpu` of QEMU for x86-64 up to its registers of modes and system calls, for streams without a description.
// Source: qemu-stream.md 8.

const VERSION = 12;
/** Bytes of the eight registers of the x87 unit. */
const X87 = 8 * 10;
const ALL_XMM = 16;

const field = (name: string, size: number, count = 1, struct?: DescribedPart): DescribedField => ({
  name,
  type: struct ? 'struct' : size > 8 ? 'buffer' : `uint${8 * size}`,
  size,
  count,
  index: undefined,
  struct,
});
const u64 = (name: string, count = 1) => field(name, 8, count);
const u32 = (name: string) => field(name, 4);
const u16 = (name: string) => field(name, 2);
const part = (fields: DescribedField[]): DescribedPart => ({
  name: 'cpu',
  version: VERSION,
  fields,
  subsections: [],
});
const segment = (name: string, count = 1) =>
  field(name, 20, count, part([u32('selector'), u64('base'), u32('limit'), u32('flags')]));

const A20_MASK = 'env.a20_mask';
const LAYOUT = part([
  ...[u64('env.regs', 16), u64('env.eip'), u64('env.eflags'), u32('env.hflags')],
  ...[
    u16('env.fpuc'),
    u16('env.fpus_vmstate'),
    u16('env.fptag_vmstate'),
    u16('env.fpregs_format_vmstate'),
    field('env.fpregs', X87),
  ],
  ...[
    segment('env.segs', SEGMENTS.length),
    segment('env.ldt'),
    segment('env.tr'),
    segment('env.gdt'),
    segment('env.idt'),
  ],
  ...[u32('env.sysenter_cs'), u64('env.sysenter_esp'), u64('env.sysenter_eip')],
  ...[u64('env.cr[0]'), u64('env.cr[2]'), u64('env.cr[3]'), u64('env.cr[4]'), u64('env.dr', 8)],
  ...[u32(A20_MASK), u32('env.mxcsr'), field('env.xmm_regs', 16, ALL_XMM), u64('env.efer')],
  ...[u64('env.star'), u64('env.lstar'), u64('env.cstar'), u64('env.fmask'), u64('env.kernelgsbase')],
  ...[u32('env.smbase'), u64('env.pat'), u32('env.hflags2')],
]);
const SIZE = 880;
const A20_OFFSET = 552;
/** Masks for an open and a closed A20 gate. Another value shows that the layout does not fit. */
const A20_MASKS = [0xffffffff, 0xffefffff];

/** The layout of a section without a description; undefined if it has another layout than this one. */
function layoutOf(version: number, body: Uint8Array): DescribedPart | undefined {
  if (version !== VERSION || body.length < SIZE) return undefined;
  const mask = new DataView(body.buffer, body.byteOffset).getUint32(A20_OFFSET);
  return A20_MASKS.includes(mask) ? LAYOUT : undefined;
}
