import { EXTENDED_FEATURES } from '../../../formats/units/cpu/cpuid.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import { AVX, AVX512, EXTENDED_STATE, LEAST_AREA, SSE, X87, XSAVE } from '../../../formats/units/cpu/extended-state.ts';
import type { Comparison } from './comparison.ts';

// Checks of cpum's loader on registers and CPUID leaves (units-compared.md, cpum), in its order. A state that was saved
// on a host tells the features of that host's CPUs.

/**
 * The first reason for which the loader refuses a CPU's extended state. @param offered components of the machine's
 * profile, if known
 */
export function extendedStateFault(
  { context, xStateInUse = 0n }: CpuRegisters,
  offered: bigint | undefined,
): { code: string; what: string } | undefined {
  if (!context) return undefined;
  const { xcr0, xcr1, xStateMask: mask } = context;
  const fault = (code: string, what: string) => ({ code, what });
  if (offered !== undefined && (mask & ~offered) !== 0n)
    return fault(
      'VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK',
      `extended state ${hexOf(mask)}, of which the machine offers ${hexOf(offered)}`,
    );
  const isWhole =
    mask === 0n ||
    ((mask & X87) !== 0n && ((mask & AVX) === 0n || (mask & SSE) !== 0n) && [0n, AVX512].includes(mask & AVX512));
  if (!isWhole)
    return fault('VERR_CPUM_INVALID_XSAVE_COMP_MASK', `extended state ${hexOf(mask)}, of which parts are missing`);
  if ((xcr0 & X87) === 0n || (xcr0 !== X87 && (xcr0 & ~(mask | X87)) !== 0n))
    return fault(
      'VERR_CPUM_INVALID_XCR0',
      `XCR0 ${hexOf(xcr0)} with extended state ${hexOf(mask)}, which no CPU can have`,
    );
  if (xcr1 !== 0n) return fault('VERR_SSM_DATA_UNIT_FORMAT_CHANGED', `XCR1 ${hexOf(xcr1)}, expected 0`);
  if ((xStateInUse & ~mask) !== 0n)
    return fault('VERR_CPUM_INVALID_XSAVE_HDR', `extended state in use ${hexOf(xStateInUse)}, of ${hexOf(mask)}`);
  return undefined;
}

/** Components of the extended state that the guest sees (leaf 0xd); undefined where it has no such leaf. */
export function offeredState({ guest }: CpuidPart): bigint | undefined {
  const leaf = guest.find((own) => own.leaf === EXTENDED_STATE && own.subLeaf === 0);
  return leaf && componentBits(leaf);
}

/** Components that leaf 0xd names, a bit each: EAX has the lower half, EDX the upper one. */
export function componentBits({ eax, edx }: { eax: number; edx: number }): bigint {
  return (BigInt(edx) << 32n) | BigInt(eax);
}

/** Components of the extended state that the host itself has, if the leaves tell. */
export function componentsOf({ rawBasic }: CpuidPart): bigint | undefined {
  const raw = rawBasic[EXTENDED_STATE];
  return raw && componentBits(raw);
}

/** First letters of vendor names, in EBX of leaf 0. */
const AMD = 0x68747541;
const INTEL = 0x756e6547;
const MAKERS: ReadonlyMap<number, 'intel' | 'amd'> = new Map([
  [AMD, 'amd'],
  [INTEL, 'intel'],
]);

/**
 * Feature bits that the guest may not have unless the host has them. For an AMD guest on an AMD host, 7.2.22 required
 * no bit of leaf 0x80000001 ECX, nor 3DNow (EDX 30, 31).
 */
export const MUST_HAVE = { basicEcx: 0x77dff7f7, basicEdx: 0xeff88577, extendedEdx: 0x2e500000 } as const;

/**
 * The first reason for which the loader refuses the CPUID leaves. @param host CPUID of the host, if known
 * @param takesMissing features that the host lacks do not matter
 */
export function cpuidFault(
  saved: CpuidPart,
  host: CpuidPart | undefined,
  takesMissing = false,
): { code: string; what: string } | undefined {
  const what = (host && !takesMissing ? missingFeature(saved, host) : undefined) ?? extendedLeafFault(saved, host);
  if (what !== undefined) return { code: 'VERR_SSM_LOAD_CPUID_MISMATCH', what };
  const area = areaFault(saved, host);
  return area === undefined ? undefined : { code: 'VERR_CPUM_IPE_1', what: area };
}

/**
 * Checks that all components of the extended state lie within the area whose size leaf 0xd gives. The loader checks
 * this last.
 */
function areaFault({ guest }: CpuidPart, host: CpuidPart | undefined): string | undefined {
  const sub = (index: number) => guest.find(({ leaf, subLeaf }) => leaf === EXTENDED_STATE && subLeaf === index);
  const head = sub(0);
  const listed = head ? componentBits(head) : 0n;
  const taken = listed & ((host && componentsOf(host)) ?? listed);
  const area = head?.ecx ?? 0;
  for (let bit = FIRST_SUB_LEAF; bit < MAX_COMPONENTS; bit++) {
    if (((taken >> BigInt(bit)) & 1n) === 0n) continue;
    const { eax: size, ebx: at } = sub(bit) ?? { eax: 0, ebx: 0 };
    if (size === 0 || at < LEAST_AREA || at + size > area)
      return `leaf 0xd puts component ${bit} of the extended state at ${at}, ${size} bytes, in an area of ${area}`;
  }
  return undefined;
}

const FIRST_SUB_LEAF = 2;
const MAX_COMPONENTS = 63;

function missingFeature({ guest }: CpuidPart, { rawBasic, rawExtended }: CpuidPart): string | undefined {
  const basic = guest.find(({ leaf }) => leaf === 1);
  const extended = guest.find(({ leaf }) => leaf === EXTENDED_FEATURES);
  const missing = (what: string, own: number | undefined, has: number | undefined, mask: number) => {
    const bits = ((own ?? 0) & ~(has ?? 0) & mask) >>> 0;
    return bits === 0 ? undefined : `the guest knows features that the host lacks: ${what}, bits ${hexOf(bits)}`;
  };
  return (
    missing('leaf 1 ECX', basic?.ecx, rawBasic[1]?.ecx, MUST_HAVE.basicEcx) ??
    missing('leaf 1 EDX', basic?.edx, rawBasic[1]?.edx, MUST_HAVE.basicEdx) ??
    missing('leaf 0x80000001 EDX', extended?.edx, rawExtended[1]?.edx, MUST_HAVE.extendedEdx)
  );
}

function extendedLeafFault({ guest }: CpuidPart, host: CpuidPart | undefined): string | undefined {
  const leaves = guest.filter(({ leaf }) => leaf === EXTENDED_STATE);
  const sub = (index: number) => leaves.find(({ subLeaf }) => subLeaf === index);
  const head = sub(0);
  const hasXsave = ((guest.find(({ leaf }) => leaf === 1)?.ecx ?? 0) & XSAVE) !== 0;
  const components = head ? componentBits(head) : 0n;
  if (components === 0n) return hasXsave ? 'the guest knows XSAVE, but leaf 0xd is empty' : undefined;
  const has = host && componentsOf(host);
  if (has !== undefined && (components & ~has) !== 0n)
    return `leaf 0xd has extended state ${hexOf(components)}, the host ${hexOf(has)}`;
  if ((components & (X87 | SSE)) !== (X87 | SSE))
    return `leaf 0xd has extended state ${hexOf(components)}, without x87 or SSE`;
  const one = sub(1);
  if (one && (one.eax | one.ecx | one.edx) !== 0) return 'leaf 0xd, sub-leaf 1, is not empty';
  return placeFault(leaves, host);
}

type Leaf = CpuidPart['guest'][number];

/** Size and offset of a component of the extended state. */
type Place = readonly [size: number, offset: number];
/**
 * Places by bit: AMD and Intel agree on the place of the upper halves of YMM, but not on the places of ZMM and the mask
 * registers.
 */
const PLACES: ReadonlyMap<number, Place | { intel: Place; amd: Place }> = new Map<
  number,
  Place | { intel: Place; amd: Place }
>([
  [2, [256, 576]],
  [5, { intel: [64, 1088], amd: [64, 832] }],
  [6, { intel: [512, 1152], amd: [512, 896] }],
  [7, { intel: [1024, 1664], amd: [1024, 1408] }],
]);

/** The first component whose place differs between the guest's area and the host's. */
function placeFault(leaves: readonly Leaf[], host: CpuidPart | undefined): string | undefined {
  const maker = MAKERS.get(host?.rawBasic[0]?.ebx ?? 0);
  for (const [bit, known] of PLACES) {
    const leaf = leaves.find(({ subLeaf }) => subLeaf === bit);
    const place = 'intel' in known ? maker && known[maker] : known;
    if (!leaf || leaf.eax === 0 || !place || (leaf.eax === place[0] && leaf.ebx === place[1])) continue;
    return (
      `leaf 0xd puts component ${bit} of the extended state at ${leaf.ebx}, ${leaf.eax} bytes, the host at ` +
      `${place[1]}, ${place[0]} bytes`
    );
  }
  return undefined;
}

function hexOf(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** Checks the saved CPUs by themselves, and against the host's CPUs if the target, being a state, tells them. */
export function compareCpuid(comparison: Comparison): void {
  const { cpum } = comparison.state;
  const { cpuid: host, takesMissingFeatures } = comparison.target;
  const offered = host && offeredState(host);
  for (const [cpu, registers] of (cpum?.cpus ?? []).entries()) {
    const fault = extendedStateFault(registers, offered);
    if (fault) comparison.add('cpum', 'extended-state', fault.code, `CPU ${cpu} has ${fault.what}`);
  }
  const fault = cpum?.cpuid && cpuidFault(cpum.cpuid, host, takesMissingFeatures);
  if (fault) comparison.add('cpum', 'cpuid', fault.code, fault.what);
}
