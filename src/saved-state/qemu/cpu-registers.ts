import { GENERAL_REGISTERS, type QemuCpu, type QemuSegment } from '../../../formats/qemu/cpu.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import type { GuestContext, Selector } from '../../../formats/units/cpu/cpum-layouts.ts';

/** The hidden part of a segment register is valid (`CPUMSELREG`). */
const VALID = 1;
const NO_SEGMENT: QemuSegment = { selector: 0, base: 0n, limit: 0, flags: 0 };

/** Registers of a CPU of QEMU in savkit's common form. */
export function cpuRegisters({ registers: r, segments: s }: QemuCpu): CpuRegisters {
  const of = (name: string) => r[name] ?? 0n;
  const control = { cr0: of('cr0'), cr2: of('cr2'), cr3: of('cr3'), cr4: of('cr4'), efer: of('efer') };
  const segment = (name: string) => selectorOf(s[name] ?? NO_SEGMENT);
  const table = (name: string) => ({ base: s[name]?.base ?? 0n, limit: s[name]?.limit ?? 0 });
  const context: GuestContext = {
    ...general(of),
    rflags: of('rflags'),
    rip: of('rip'),
    es: segment('es'),
    cs: segment('cs'),
    ss: segment('ss'),
    ds: segment('ds'),
    fs: segment('fs'),
    gs: segment('gs'),
    ...control,
    dr: [0, 1, 2, 3, 6, 7].map((n) => of(`dr${n}`)),
    gdtr: table('gdtr'),
    idtr: table('idtr'),
    sysenterCs: of('sysenterCs'),
    sysenterEip: of('sysenterEip'),
    sysenterEsp: of('sysenterEsp'),
    star: of('star'),
    pat: of('pat'),
    lstar: of('lstar'),
    cstar: of('cstar'),
    sfmask: of('fmask'),
    kernelGsBase: of('kernelgsbase'),
    ldtr: segment('ldtr'),
    tr: segment('tr'),
    xcr0: of('xcr0'),
    xcr1: 0n,
    xStateMask: 0n,
  };
  return { ...control, context };
}

function general(of: (name: string) => bigint): Record<(typeof GENERAL_REGISTERS)[number], bigint> {
  return Object.fromEntries(GENERAL_REGISTERS.map((name) => [name, of(name)])) as Record<
    (typeof GENERAL_REGISTERS)[number],
    bigint
  >;
}

/**
 * A segment register in savkit's form. QEMU's flags are the second word of a descriptor; attributes begin with its
 * type.
 */
function selectorOf({ selector, base, limit, flags }: QemuSegment): Selector {
  return { selector, validSelector: selector, flags: VALID, base, limit, attributes: (flags >>> 8) & 0xf0ff };
}
