import type { GuestContext } from '../../../../formats/units/cpu/cpum-layouts.ts';

// QEMU's translator keeps its own view of a CPU's mode in `hflags`, which follows from the registers.

/** Bits of `hflags`. */
const Flag = {
  CPL: 0,
  CODE_32: 4,
  STACK_32: 5,
  ADDS_SEGMENT: 6,
  PROTECTED: 7,
  TRAP: 8,
  MONITOR: 9,
  EMULATION: 10,
  SWITCHED: 11,
  IOPL: 12,
  LONG_MODE: 14,
  CODE_64: 15,
  RESUME: 16,
  VIRTUAL_8086: 17,
  ALIGNMENT: 18,
  FXSAVE: 22,
  SMAP: 23,
  UMIP: 27,
  AVX: 28,
} as const;

/** Bits of segment attributes. */
const LONG = 0x2000;
const BIG = 0x4000;
const CR4_OSFXSR = 9n;
const CR4_UMIP = 11n;
const CR4_OSXSAVE = 18n;
const CR4_SMAP = 21n;
const EFER_LMA = 10n;
const AVX_STATE = 6n;
const TWO_BITS: readonly number[] = [Flag.CPL, Flag.IOPL];

/** All bits that `hiddenFlags` computes; the others stay as in the template. */
export const ownFlags = Object.values(Flag).reduce(
  (all, bit) => all | (BigInt(TWO_BITS.includes(bit) ? 3 : 1) << BigInt(bit)),
  0n,
);

export function hiddenFlags(context: GuestContext): bigint {
  const { cs, ss, ds, es, cr0, cr4, efer, rflags, xcr0 } = context;
  const isLong = bit(efer, EFER_LMA) && (cs.attributes & LONG) !== 0;
  const isVirtual = bit(rflags, 17n);
  const isProtected = bit(cr0, 0n);
  const isCode32 = isLong || (cs.attributes & BIG) !== 0;
  const hasBases = (ds.base | es.base | ss.base) !== 0n;
  const addsSegment = !isLong && (!isProtected || isVirtual || !isCode32 || hasBases);
  const set: [number, boolean | bigint][] = [
    [Flag.CPL, isProtected ? BigInt((ss.attributes >>> 5) & 3) : 0n],
    [Flag.CODE_32, isCode32],
    [Flag.STACK_32, isLong || (ss.attributes & BIG) !== 0],
    [Flag.ADDS_SEGMENT, addsSegment],
    [Flag.PROTECTED, isProtected],
    [Flag.TRAP, bit(rflags, 8n)],
    [Flag.MONITOR, bit(cr0, 1n)],
    [Flag.EMULATION, bit(cr0, 2n)],
    [Flag.SWITCHED, bit(cr0, 3n)],
    [Flag.IOPL, (rflags >> 12n) & 3n],
    [Flag.LONG_MODE, bit(efer, EFER_LMA)],
    [Flag.CODE_64, isLong],
    [Flag.RESUME, bit(rflags, 16n)],
    [Flag.VIRTUAL_8086, isVirtual],
    [Flag.ALIGNMENT, bit(rflags, 18n)],
    [Flag.FXSAVE, bit(cr4, CR4_OSFXSR)],
    [Flag.SMAP, bit(cr4, CR4_SMAP)],
    [Flag.UMIP, bit(cr4, CR4_UMIP)],
    [Flag.AVX, bit(cr4, CR4_OSXSAVE) && (xcr0 & AVX_STATE) === AVX_STATE],
  ];
  return set.reduce((flags, [at, value]) => flags | (BigInt(value) << BigInt(at)), 0n);
}

function bit(value: bigint, number: bigint): boolean {
  return ((value >> number) & 1n) !== 0n;
}
