// Words of `flags` in Linux's /proc/cpuinfo, and the CPUID bits that they stand for.

type Names = Readonly<Record<string, number>>;

const BASIC_EDX: Names = {
  ...{ fpu: 0, vme: 1, de: 2, pse: 3, tsc: 4, msr: 5, pae: 6, mce: 7, cx8: 8, apic: 9, sep: 11, mtrr: 12, pge: 13 },
  ...{ mca: 14, cmov: 15, pat: 16, pse36: 17, pn: 18, clflush: 19, dts: 21, acpi: 22, mmx: 23, fxsr: 24, sse: 25 },
  ...{ sse2: 26, ss: 27, ht: 28, tm: 29, ia64: 30, pbe: 31 },
};
const BASIC_ECX: Names = {
  ...{ pni: 0, pclmulqdq: 1, dtes64: 2, monitor: 3, ds_cpl: 4, vmx: 5, smx: 6, est: 7, tm2: 8, ssse3: 9, cid: 10 },
  ...{ sdbg: 11, fma: 12, cx16: 13, xtpr: 14, pdcm: 15, pcid: 17, dca: 18, sse4_1: 19, sse4_2: 20, x2apic: 21 },
  ...{ movbe: 22, popcnt: 23, tsc_deadline_timer: 24, aes: 25, xsave: 26, avx: 28, f16c: 29, rdrand: 30 },
  hypervisor: 31,
};
const EXTENDED_EDX: Names = {
  ...{ syscall: 11, mp: 19, nx: 20, mmxext: 22, fxsr_opt: 25, pdpe1gb: 26, rdtscp: 27, lm: 29 },
  ...{ '3dnowext': 30, '3dnow': 31 },
};
const EXTENDED_ECX: Names = {
  ...{ lahf_lm: 0, cmp_legacy: 1, svm: 2, extapic: 3, cr8_legacy: 4, abm: 5, sse4a: 6, misalignsse: 7 },
  ...{ '3dnowprefetch': 8, osvw: 9, ibs: 10, xop: 11, skinit: 12, wdt: 13, lwp: 15, fma4: 16, tce: 17 },
  ...{ nodeid_msr: 19, tbm: 21, topoext: 22 },
};
/** Components of the extended state that come with a feature. */
const COMPONENTS: Readonly<Record<string, number>> = {
  ...{ xsave: 0x3, avx: 0x4, mpx: 0x18, avx512f: 0xe0, pku: 0x200, amx_tile: 0x60000 },
};

/** Registers of leaves 1 and 0x80000001, as far as the words tell. */
export function bitsOfFlags(flags: readonly string[]) {
  const word = (names: Names) =>
    flags.reduce((bits, flag) => (Object.hasOwn(names, flag) ? (bits | (1 << names[flag])) >>> 0 : bits), 0);
  return {
    basicEcx: word(BASIC_ECX),
    basicEdx: word(BASIC_EDX),
    extendedEcx: word(EXTENDED_ECX),
    extendedEdx: word(EXTENDED_EDX),
  };
}

/** The words for bits of leaves 1 and 0x80000001, in the order of the bits. */
export function flagsOfBits(bits: { basicEcx: number; basicEdx: number; extendedEcx: number; extendedEdx: number }) {
  const words = (names: Names, word: number) =>
    Object.keys(names)
      .filter((name) => ((word >>> names[name]) & 1) === 1)
      .sort((a, b) => names[a] - names[b]);
  return [
    ...words(BASIC_EDX, bits.basicEdx),
    ...words(BASIC_ECX, bits.basicEcx),
    ...words(EXTENDED_EDX, bits.extendedEdx),
    ...words(EXTENDED_ECX, bits.extendedEcx),
  ];
}

/** Components that leaf 0xd lists, the low half. */
export function componentsOfFlags(flags: readonly string[]): number {
  return flags.reduce((bits, flag) => (Object.hasOwn(COMPONENTS, flag) ? bits | COMPONENTS[flag] : bits), 0);
}
