import type { CpumUnit } from '../../../../formats/units/cpu/cpum-codec.ts';

const XSAVE = 1 << 26;
const AVX = 1 << 28;
const AVX512F = 1 << 16;

/** Registers of the extended state of the only CPU. */
function extended(xcr0: bigint, mask?: bigint, inUse?: bigint, xcr1 = 0n): (unit: CpumUnit) => void {
  return ({ cpus: [cpu] }) => {
    Object.assign(cpu.context, { xcr0, xcr1, xStateMask: mask ?? cpu.context.xStateMask });
    const has = (bit: bigint) => (cpu.context.xStateMask & (1n << bit)) !== 0n;
    const component = (bit: bigint, size: number) => (has(bit) ? { content: new Uint8Array(size) } : undefined);
    cpu.extended = cpu.context.xStateMask === 0n ? undefined : { inUse: inUse ?? 0n };
    cpu.ymm = component(2n, 256);
    cpu.bounds = component(3n, 64);
    cpu.boundsConfig = component(4n, 16);
    cpu.zmm = component(6n, 512);
    cpu.zmm16 = component(7n, 1024);
  };
}

type Leaf = CpumUnit['leaves'][number];

/** A leaf that the guest sees, made where there is none. */
function leaf(unit: CpumUnit, number: number, subLeaf = 0): Leaf {
  const found = unit.leaves.find((own) => own.leaf === number && own.subLeaf === subLeaf);
  if (found) return found;
  const made = { leaf: number, subLeaf, subLeafMask: 0xffffffff, eax: 0, ebx: 0, ecx: 0, edx: 0, flags: 0 };
  const at = unit.leaves.findIndex((own) => own.leaf > number || (own.leaf === number && own.subLeaf > subLeaf));
  unit.leaves.splice(at < 0 ? unit.leaves.length : at, 0, made);
  unit.leafCount++;
  return made;
}

function withoutLeaves(unit: CpumUnit, isGone: (own: Leaf) => boolean): void {
  unit.leaves = unit.leaves.filter((own) => !isGone(own));
  unit.leafCount = unit.leaves.length;
}

/** Places of components in the extended state of CPUs: size and offset, by bit. */
const PLACES = new Map([
  [2, { eax: 256, ebx: 576 }],
  [5, { eax: 64, ebx: 1088 }],
  [6, { eax: 512, ebx: 1152 }],
  [7, { eax: 1024, ebx: 1664 }],
]);
const LEAST_AREA = 576;

/** Components of the extended state that the guest knows, and feature bits. */
function offers(components: number, ecx = 0, change: (unit: CpumUnit) => void = () => {}): (unit: CpumUnit) => void {
  return (unit) => {
    const there = [...PLACES].filter(([bit]) => (components & (1 << bit)) !== 0);
    const area = Math.max(LEAST_AREA, ...there.map(([, { eax, ebx }]) => eax + ebx));
    Object.assign(leaf(unit, 0xd), { eax: components, ebx: area, ecx: area, edx: 0 });
    for (const [bit, place] of there) Object.assign(leaf(unit, 0xd, bit), place);
    leaf(unit, 1).ecx = (leaf(unit, 1).ecx | ecx) >>> 0;
    change(unit);
  };
}

function feature(number: number, register: 'ecx' | 'edx', bit: number): (unit: CpumUnit) => void {
  return (unit) => {
    const own = leaf(unit, number);
    own[register] = (own[register] | (1 << bit)) >>> 0;
  };
}

/** EBX, ECX, EDX of leaf 0. */
const INTEL = { ebx: 0x756e6547, ecx: 0x6c65746e, edx: 0x49656e69 };

/** Changes of unit cpum, by the names of forecasts.tsv without `cpum:`. */
export const CPU_CHANGES: Readonly<Record<string, (unit: CpumUnit) => void>> = {
  'xcr0=0': extended(0n),
  'xcr0=3, mask 0': extended(3n, 0n),
  'xcr0=7, mask 0': extended(7n, 0n),
  'xcr1=1': extended(1n, undefined, undefined, 1n),
  'mask=3 without leaf d': extended(1n, 3n),
  'leaf d 3, XSAVE bit; nothing used': offers(3, XSAVE),
  'leaf d 7; nothing used': offers(7),
  'leaf d 7, AVX bit; nothing used': offers(7, AVX),
  'leaf d e7 (AVX512)': offers(0xe7),
  'leaf d e7, AVX, leaf 7 avx512f': offers(0xe7, AVX, (unit) => {
    leaf(unit, 7).ebx = (leaf(unit, 7).ebx | AVX512F) >>> 0;
  }),
  'leaf d 7, mask 7, xcr0 7, bm 7': offers(7, 0, extended(7n, 7n, 7n)),
  'leaf d e7, mask e7, xcr0 7, bm 7': offers(0xe7, 0, extended(7n, 0xe7n, 7n)),
  'leaf d e7, mask e7, xcr0 e7, bm e7': offers(0xe7, 0, extended(0xe7n, 0xe7n, 0xe7n)),
  'leaf d 1 only x87': offers(1),
  'leaf d 5': offers(5),
  'leaf d.1 eax=1': offers(3, 0, (unit) => void Object.assign(leaf(unit, 0xd, 1), { eax: 1 })),
  'leaf d.2 other offset': offers(7, 0, (unit) => {
    leaf(unit, 0xd).ecx = 0x2000;
    leaf(unit, 0xd, 2).ebx = 0x1240;
  }),
  'leaf d 7 without room': offers(7, 0, (unit) => void Object.assign(leaf(unit, 0xd), { ebx: 576, ecx: 576 })),
  'leaf d 7 without a place': offers(7, 0, (unit) =>
    withoutLeaves(unit, (own) => own.leaf === 0xd && own.subLeaf === 2),
  ),
  'leaf d 7 with a place in the header': offers(7, 0, (unit) => void Object.assign(leaf(unit, 0xd, 2), { ebx: 512 })),
  'leaf d e7 without room': offers(0xe7, 0, (unit) => void Object.assign(leaf(unit, 0xd), { ebx: 832, ecx: 832 })),
  'XSAVE bit without leaf d': (unit) => {
    withoutLeaves(unit, (own) => own.leaf === 0xd);
    leaf(unit, 1).ecx = (leaf(unit, 1).ecx | XSAVE) >>> 0;
  },
  'no leaf d at all': (unit) => withoutLeaves(unit, (own) => own.leaf === 0xd),
  'no leaves but 0 and 1': (unit) => withoutLeaves(unit, (own) => own.leaf > 1),
  'raw std leaf 1 of another host': (unit) =>
    void Object.assign(unit.hostLeaves[1], { eax: 0x000306a9, ecx: 0, edx: 0 }),
  'vendor of the raw leaves Intel': (unit) => void Object.assign(unit.hostLeaves[0], INTEL),
  'guest leaf 0 Intel': (unit) => void Object.assign(leaf(unit, 0), INTEL),
  'guest family/model/stepping other': (unit) => void Object.assign(leaf(unit, 1), { eax: 0x000306a9 }),
  'leaf 80000008 fewer physical bits': (unit) => void Object.assign(leaf(unit, 0x80000008), { eax: 0x3020 }),
  'leaf 80000008 more physical bits': (unit) => void Object.assign(leaf(unit, 0x80000008), { eax: 0x3034 }),
  'leaf out of order': (unit) => void unit.leaves.reverse(),
  'msr area 8 bytes longer': (unit) => {
    unit.msrSize += 8;
    for (const cpu of unit.cpus) cpu.msrs.push(0n);
  },
  'msr area 8 bytes shorter': (unit) => {
    unit.msrSize -= 8;
    for (const cpu of unit.cpus) cpu.msrs.pop();
  },
  'bit 1/c/2 DTES64': feature(1, 'ecx', 2),
  'bit 1/c/5 VMX': feature(1, 'ecx', 5),
  'bit 1/c/24 TSCDEADL': feature(1, 'ecx', 24),
  'bit 1/d/30 IA64': feature(1, 'edx', 30),
  'bit 80000001/c/18': feature(0x80000001, 'ecx', 18),
};
