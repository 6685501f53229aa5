/** CPUID leaf that tells components of the extended state, and their places in the area of XSAVE. */
export const EXTENDED_STATE = 0xd;
/** Bit of CPUID leaf 1, ECX. */
export const XSAVE = 1 << 26;

/** Components of the extended state, as bits of XCR0. */
export const X87 = 1n;
export const SSE = 2n;
/** Upper halves of YMM registers. */
export const AVX = 4n;
/** Mask registers, upper halves of ZMM0–15, ZMM16–31: all or none. */
export const AVX512 = 0xe0n;

/** Bytes of x87 and SSE state with the header of XSAVE; all other components follow. */
export const LEAST_AREA = 576;
