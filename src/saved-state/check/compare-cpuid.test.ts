import { describe, expect, it } from 'vitest';
import { realUnits } from '../../../formats/testing/pgm-real-units.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { readCpum } from '../../../formats/units/cpu/cpum.ts';
import type { GuestContext } from '../../../formats/units/cpu/cpum-layouts.ts';
import { cpuidFault, extendedStateFault, offeredState } from './compare-cpuid.ts';

/** A CPU with only those registers that are compared. */
function cpu(xcr0: bigint, xStateMask: bigint, xcr1 = 0n, xStateInUse = 0n) {
  const context = { xcr0, xcr1, xStateMask } as GuestContext;
  return { cr0: 0n, cr2: 0n, cr3: 0n, cr4: 0n, efer: 0n, context, xStateInUse };
}

describe('extendedStateFault()', () => {
  // What 7.2.22 answered to each, on a host and in a machine that offer x87, SSE and, in the machine, no AVX.
  it.each<[string, ReturnType<typeof cpu>, string | undefined]>([
    ['XCR0 0', cpu(0n, 3n), 'VERR_CPUM_INVALID_XCR0'],
    ['XCR0 3 without extended state', cpu(3n, 0n), 'VERR_CPUM_INVALID_XCR0'],
    ['XCR0 7 without extended state', cpu(7n, 0n), 'VERR_CPUM_INVALID_XCR0'],
    ['XCR1', cpu(1n, 0n, 1n), 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED'],
    ['state 3, in use 3', cpu(3n, 3n, 0n, 3n), undefined],
    ['state 7', cpu(7n, 7n, 0n, 7n), 'VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK'],
    ['state e7, XCR0 7', cpu(7n, 0xe7n, 0n, 7n), 'VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK'],
    ['state e7', cpu(0xe7n, 0xe7n, 0n, 0xe7n), 'VERR_CPUM_INCOMPATIBLE_XSAVE_COMP_MASK'],
  ])('foretells the answer to %s', (_what, registers, code) => {
    expect(extendedStateFault(registers, 3n)?.code).toBe(code);
  });

  it('takes what the machine offers, whole', () => {
    expect(extendedStateFault(cpu(0xe7n, 0xe7n), 0xe7n)).toBeUndefined();
    expect(extendedStateFault(cpu(0xe7n, 0xe7n), undefined)).toBeUndefined();
    for (const mask of [2n, 5n, 0x27n, 6n])
      expect(extendedStateFault(cpu(1n, mask), undefined)?.code, String(mask)).toBe(
        'VERR_CPUM_INVALID_XSAVE_COMP_MASK',
      );
    expect(extendedStateFault(cpu(3n, 3n, 0n, 4n), 3n)?.code).toBe('VERR_CPUM_INVALID_XSAVE_HDR');
  });
});

describe('cpuidFault()', () => {
  const leaf = (number: number, subLeaf: number, [eax, ebx, ecx, edx]: number[]) => ({
    leaf: number,
    subLeaf,
    subLeafMask: 0,
    eax,
    ebx,
    ecx,
    edx,
    flags: 0,
  });
  const XSAVE = 1 << 26;
  const none = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
  const state = ({ ecx = 0, edx = 0, extended = 0, d = [] as [number, number[]][] }): CpuidPart => ({
    guest: [
      leaf(0, 0, [0xd, 0, 0, 0]),
      leaf(1, 0, [0, 0, ecx, edx]),
      ...d.map(([sub, values]) => leaf(0xd, sub, values)),
      leaf(0x80000001, 0, [0, 0, 0, extended]),
    ],
    rawBasic: [],
    rawExtended: [],
  });
  const host: CpuidPart = {
    guest: [],
    rawBasic: Array.from({ length: 16 }, (_, i) =>
      i === 1 ? { ...none, ecx: XSAVE, edx: 0x3f } : i === 0xd ? { ...none, eax: 7 } : none,
    ),
    rawExtended: [none, { ...none, edx: 1 << 29 }],
  };
  const whole: [number, number[]][] = [[0, [3, 576, 576, 0]]];
  const ymm: [number, number[]] = [2, [256, 576, 0, 0]];
  const withYmm = (area: number, ...more: [number, number[]][]) =>
    state({ ecx: XSAVE, d: [[0, [7, area, area, 0]], ...more] });

  // 7.2.22 was asked for each.
  it.each<[string, CpuidPart, string | undefined]>([
    ['there is room', withYmm(832, ymm), undefined],
    ['there is no room', withYmm(576, ymm), 'VERR_CPUM_IPE_1'],
    ['they have no place', withYmm(832), 'VERR_CPUM_IPE_1'],
    ['their place is in the header', withYmm(832, [2, [256, 512, 0, 0]]), 'VERR_SSM_LOAD_CPUID_MISMATCH'],
  ])('looks for the place of the upper halves of YMM: %s', (_what, saved, code) => {
    expect(cpuidFault(saved, host)?.code).toBe(code);
    expect(cpuidFault(saved, undefined)?.code).toBe(code);
  });

  it.each<[string, CpuidPart, RegExp | undefined]>([
    ['what the host has', state({ ecx: XSAVE, edx: 0x3f & 0xeff88577, extended: 1 << 29, d: whole }), undefined],
    ['VMX', state({ ecx: 1 << 5 }), /leaf 1 ECX, bits 0x20/],
    ['the x2APIC, which is not asked for', state({ ecx: 1 << 21 }), undefined],
    ['IA64', state({ edx: 1 << 30 }), /leaf 1 EDX/],
    ['long mode in a host with it', state({ extended: 1 << 29 }), undefined],
    ['3DNow, which is not asked for', state({ extended: 3 << 30 }), undefined],
    ['NX', state({ extended: 1 << 20 }), /leaf 0x80000001 EDX/],
    ['XSAVE without leaf 0xd', state({ ecx: XSAVE }), /leaf 0xd is empty/],
    [
      'AVX-512',
      state({
        ecx: XSAVE,
        d: [
          [0, [0xe7, 832, 832, 0]],
          [2, [256, 576, 0, 0]],
        ],
      }),
      /0xe7, the host 0x7/,
    ],
    ['x87 alone', state({ ecx: XSAVE, d: [[0, [1, 0, 0, 0]]] }), /without x87 or SSE/],
    [
      'x87 and AVX',
      state({
        ecx: XSAVE,
        d: [
          [0, [5, 832, 832, 0]],
          [2, [256, 576, 0, 0]],
        ],
      }),
      /without x87 or SSE/,
    ],
    ['a feature of XSAVE', state({ ecx: XSAVE, d: [...whole, [1, [1, 0, 0, 0]]] }), /sub-leaf 1/],
  ])('foretells the answer to a guest that knows %s', (_what, saved, fault) => {
    if (fault) expect(cpuidFault(saved, host)?.what).toMatch(fault);
    else expect(cpuidFault(saved, host)).toBeUndefined();
  });

  // A guest of an Intel host with AVX-512, which 7.2.22 refused on an AMD EPYC that has it, too, at 832.
  it.each([
    ['Genu', undefined],
    ['Auth', /component 5 .* at 1088, 64 bytes, the host at 832/],
  ])('compares the places of AVX-512 with those of the host’s maker: %s', (name, fault) => {
    const places: [number, number[]][] = [
      [2, [256, 576, 0, 0]],
      [5, [64, 1088, 0, 0]],
      [6, [512, 1152, 0, 0]],
      [7, [1024, 1664, 0, 0]],
    ];
    const saved = state({ ecx: XSAVE, d: [[0, [0xe7, 2688, 2688, 0]], ...places] });
    const rawBasic = host.rawBasic.map((own) => ({ ...own }));
    rawBasic[0].ebx = Buffer.from(name).readUInt32LE();
    rawBasic[0xd].eax = 0xe7;
    const found = cpuidFault(saved, { ...host, rawBasic })?.what;
    if (fault) expect(found).toMatch(fault);
    else expect(found).toBeUndefined();
  });

  it('finds nothing in real states, against themselves or alone', async () => {
    for (const { version, payload } of (await realUnits('cpum')).filter(({ pass }) => pass === 'final')) {
      const { cpus, cpuid } = readCpum(payload, version);
      expect(cpuid?.guest.length).toBeGreaterThan(10);
      expect(cpuid?.rawBasic.length).toBe(16);
      expect(cpuid && cpuidFault(cpuid, cpuid)).toBeUndefined();
      for (const registers of cpus) expect(extendedStateFault(registers, cpuid && offeredState(cpuid))).toBeUndefined();
    }
  });
});
