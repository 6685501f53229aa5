import type { DescribedField, DescribedPart } from './description.ts';

// Section `cpu` of QEMU for x86-64, version 12, up to its registers of modes and system calls: for streams without a
// description. Source: qemu-stream.md 8.

const VERSION = 12;
/** Bytes of the eight registers of the x87 unit. */
const X87 = 8 * 10;
const ALL_XMM = 16;
const SEGMENTS = 6;

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
  ...[segment('env.segs', SEGMENTS), segment('env.ldt'), segment('env.tr'), segment('env.gdt'), segment('env.idt')],
  ...[u32('env.sysenter_cs'), u64('env.sysenter_esp'), u64('env.sysenter_eip')],
  ...[u64('env.cr[0]'), u64('env.cr[2]'), u64('env.cr[3]'), u64('env.cr[4]'), u64('env.dr', 8)],
  ...[u32(A20_MASK), u32('env.mxcsr'), field('env.xmm_regs', 16, ALL_XMM), u64('env.efer')],
  ...[u64('env.star'), u64('env.lstar'), u64('env.cstar'), u64('env.fmask'), u64('env.kernelgsbase')],
  ...[u32('env.smbase'), u64('env.pat'), u32('env.hflags2')],
]);
const SIZE = 880;
const A20_OFFSET = 552;
/** With the A20 gate open and closed; no other field is so sure to show that the layout fits. */
const A20_MASKS = [0xffffffff, 0xffefffff];

/** The layout of a section that no description tells; undefined where it is another one. */
export function cpuLayout(version: number, body: Uint8Array): DescribedPart | undefined {
  if (version !== VERSION || body.length < SIZE) return undefined;
  const mask = new DataView(body.buffer, body.byteOffset).getUint32(A20_OFFSET);
  return A20_MASKS.includes(mask) ? LAYOUT : undefined;
}
