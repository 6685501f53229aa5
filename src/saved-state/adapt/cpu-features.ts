import { hex } from '../../../formats/errors.ts';
import { EXTENDED_FEATURES } from '../../../formats/units/cpu/cpuid.ts';
import { type CpumUnit, cpumCodec } from '../../../formats/units/cpu/cpum-codec.ts';
import { AVX, AVX512, EXTENDED_STATE, LEAST_AREA, SSE, X87, XSAVE } from '../../../formats/units/cpu/extended-state.ts';
import { componentBits, componentsOf, MUST_HAVE, offeredState } from '../check/compare-cpuid.ts';
import { type Merge, refused } from './merge.ts';

type Leaf = CpumUnit['leaves'][number];
type Cpu = CpumUnit['cpus'][number];

/** CPUID's copy of CR4.OSXSAVE. */
const OSXSAVE_BIT = 1 << 27;
const OSXSAVE = 1n << 18n;
/** Feature bits that need AVX, by leaf. */
const AVX_BITS = { leaf1Ecx: (1 << 12) | (1 << 28) | (1 << 29), leaf7Ebx: 1 << 5 };
const AVX512_LEAF7_EBX = [16, 17, 21, 26, 27, 28, 30, 31].reduce((bits, bit) => bits | (1 << bit), 0);

/** Reduces features and state of the CPUs to those of the machine's host and CPU profile. */
export function mergeCpuFeatures(merge: Merge): void {
  const own = merge.value('cpum/1', cpumCodec);
  const host = merge.donor.state.cpum?.cpuid;
  if (!own || !host) {
    if (merge.own.state.cpum === undefined || host === undefined)
      throw refused('the CPUs of both states could not be read');
    return;
  }
  clearMissingFeatures(merge, own);
  // Leaf 0xd of the machine lists the components of its profile; without that leaf it has no extended state.
  const offered = (offeredState(host) ?? 0n) & (componentsOf(host) ?? ~0n);
  reduceLeaf(merge, own, offered);
  for (const [i, cpu] of own.cpus.entries()) reduceState(merge, i, cpu, offered);
}

/** Clears features that the host lacks: the loader refuses a guest whose CPUID has them. */
function clearMissingFeatures(merge: Merge, own: CpumUnit): void {
  const { rawBasic = [], rawExtended = [] } = merge.donor.state.cpum?.cpuid ?? {};
  const clear = (number: number, register: 'ecx' | 'edx', has: number | undefined, mask: number) => {
    const leaf = leafOf(own, number);
    const missing = ((leaf?.[register] ?? 0) & ~(has ?? 0) & mask) >>> 0;
    if (!leaf || missing === 0) return;
    leaf[register] = (leaf[register] & ~missing) >>> 0;
    merge.note(
      'risk',
      'cpum/1',
      `CPUID leaf ${hex(number)} ${register.toUpperCase()}: the host lacks bits ${hex(missing)}, which are ` +
        'cleared; a program that has already asked goes on using them',
    );
  };
  clear(1, 'ecx', rawBasic[1]?.ecx, MUST_HAVE.basicEcx);
  clear(1, 'edx', rawBasic[1]?.edx, MUST_HAVE.basicEdx);
  clear(EXTENDED_FEATURES, 'edx', rawExtended[1]?.edx, MUST_HAVE.extendedEdx);
}

function leafOf({ leaves }: CpumUnit, leaf: number, subLeaf = 0): Leaf | undefined {
  return leaves.find((own) => own.leaf === leaf && own.subLeaf === subLeaf);
}

/** Reduces leaf 0xd, which lists the components that the guest may have, to the offered ones. */
function reduceLeaf(merge: Merge, own: CpumUnit, offered: bigint): void {
  const head = leafOf(own, EXTENDED_STATE);
  const listed = head ? componentBits(head) : 0n;
  const kept = consistent(listed & offered) | X87 | SSE;
  if (!head || listed === 0n) {
    takeXsaveAway(merge, own);
    return;
  }
  const one = leafOf(own, EXTENDED_STATE, 1);
  const usesNone = own.cpus.every(({ context }) => (context.cr4 & OSXSAVE) === 0n);
  if (one && (one.eax | one.ecx | one.edx) !== 0) {
    merge.note(
      usesNone ? 'kept' : 'risk',
      'cpum/1',
      `CPUID leaf 0xd, sub-leaf 1: bits ${hex(one.eax)} are cleared; a program that has already asked goes on ` +
        'using XSAVEOPT, XSAVEC or XSAVES',
    );
    Object.assign(one, { eax: 0, ecx: 0, edx: 0 });
  }
  if (kept === listed) return;
  const ends = own.leaves.filter(
    ({ leaf, subLeaf }) => leaf === EXTENDED_STATE && subLeaf >= 2 && hasBit(kept, subLeaf),
  );
  const size = Math.max(LEAST_AREA, ...ends.map(({ eax, ebx }) => eax + ebx));
  Object.assign(head, { eax: Number(kept & 0xffffffffn), edx: Number(kept >> 32n), ebx: size, ecx: size });
  own.leaves = own.leaves.filter(
    ({ leaf, subLeaf }) => leaf !== EXTENDED_STATE || subLeaf < 2 || hasBit(kept, subLeaf),
  );
  own.leafCount = own.leaves.length;
  const gone = listed & ~kept;
  if ((gone & AVX) !== 0n) clearBits(own, AVX_BITS.leaf1Ecx, AVX_BITS.leaf7Ebx);
  if ((gone & AVX512) !== 0n) clearBits(own, 0, AVX512_LEAF7_EBX);
  merge.note(
    usesNone ? 'kept' : 'risk',
    'cpum/1',
    `CPUID leaf 0xd: extended state ${hex(listed)} becomes ${hex(kept)}; ` +
      (usesNone
        ? 'the guest has not switched it on (CR4.OSXSAVE 0)'
        : 'a kernel that has patched itself to use the rest may fail'),
  );
}

/** Takes XSAVE away: without leaf 0xd the guest cannot have used more of the extended state than x87 and SSE. */
function takeXsaveAway(merge: Merge, own: CpumUnit): void {
  const basic = leafOf(own, 1);
  if (!basic || (basic.ecx & XSAVE) === 0) return;
  if (own.cpus.some(({ context }) => (context.cr4 & OSXSAVE) !== 0n))
    throw refused('the guest uses XSAVE, but leaf 0xd of its CPUID is empty: no rule is known for that');
  basic.ecx = (basic.ecx & ~(XSAVE | OSXSAVE_BIT)) >>> 0;
  clearBits(own, AVX_BITS.leaf1Ecx, AVX_BITS.leaf7Ebx);
  merge.note(
    'kept',
    'cpum/1',
    'CPUID leaf 1: XSAVE is cleared, as leaf 0xd is empty; the guest has not switched it on (CR4.OSXSAVE 0)',
  );
}

function clearBits(own: CpumUnit, leaf1Ecx: number, leaf7Ebx: number): void {
  const basic = leafOf(own, 1);
  const seven = leafOf(own, 7);
  if (basic) basic.ecx = (basic.ecx & ~leaf1Ecx) >>> 0;
  if (seven) seven.ebx = (seven.ebx & ~leaf7Ebx) >>> 0;
}

/** Drops components whose needs are not met: AVX needs SSE; the parts of AVX-512 need each other and AVX. */
function consistent(mask: bigint): bigint {
  let kept = mask;
  if ((kept & SSE) === 0n) kept &= ~AVX;
  if ((kept & AVX512) !== AVX512 || (kept & AVX) === 0n) kept &= ~AVX512;
  return kept;
}

function reduceState(merge: Merge, number: number, cpu: Cpu, offered: bigint): void {
  const { context, extended } = cpu;
  const before = { xcr0: context.xcr0, mask: context.xStateMask, inUse: extended?.inUse ?? 0n };
  const mask = before.mask === 0n ? 0n : consistent(before.mask & offered) | X87 | SSE;
  const xcr0 = settledXcr0(before.xcr0, mask, (context.cr4 & OSXSAVE) !== 0n);
  const inUse = before.inUse & mask;
  if (xcr0 === before.xcr0 && mask === before.mask && inUse === before.inUse && context.xcr1 === 0n) return;
  Object.assign(context, { xcr0, xcr1: 0n, xStateMask: mask });
  if (extended) extended.inUse = inUse;
  keepComponents(cpu, mask);
  const { isRisk, text } = effectOn(cpu, before, xcr0);
  const what =
    `CPU ${number}: XCR0 ${hex(before.xcr0)} becomes ${hex(xcr0)}, extended state ${hex(before.mask)} becomes ` +
    `${hex(mask)}`;
  merge.note(isRisk ? 'risk' : 'kept', 'cpum/1', `${what}; ${text}`);
}

/** XCR0 as the loader takes it: x87 alone, or within the mask. */
function settledXcr0(xcr0: bigint, mask: bigint, isOn: boolean): bigint {
  const isValid = (xcr0 & X87) !== 0n && (xcr0 === X87 || (xcr0 & ~(mask | X87)) === 0n);
  if (isValid) return xcr0;
  if (!isOn || mask === 0n) return X87;
  // Systems switch on all that leaf 0xd lists.
  return xcr0 === 0n ? mask : consistent(xcr0 & mask) | X87;
}

/** Removes the extended state if the mask is empty; else the writer leaves out the components that the mask lacks. */
function keepComponents(cpu: Cpu, mask: bigint): void {
  if (mask === 0n) cpu.extended = undefined;
}

function effectOn({ context }: Cpu, before: { xcr0: bigint; mask: bigint; inUse: bigint }, xcr0: bigint) {
  if ((context.cr4 & OSXSAVE) === 0n)
    return { isRisk: false, text: 'the guest has not switched the extended state on (CR4.OSXSAVE 0)' };
  const gone = before.xcr0 & ~xcr0;
  if (gone === 0n) return { isRisk: false, text: 'the guest loses nothing that it has switched on' };
  const held = before.inUse & gone;
  const data = held === 0n ? '' : '; the program that ran holds such data, which is lost now';
  return {
    isRisk: true,
    text:
      `programs that use ${gone & AVX512 ? 'AVX-512' : 'AVX'} will end with an invalid opcode at their next such ` +
      `instruction${data}`,
  };
}

function hasBit(mask: bigint, bit: number): boolean {
  return bit < 64 && ((mask >> BigInt(bit)) & 1n) !== 0n;
}
