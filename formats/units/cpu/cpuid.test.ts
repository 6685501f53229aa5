import { describe, expect, it } from 'vitest';
import { PgmBytes } from '../../testing/pgm-bytes.ts';
import { buildCpum } from '../../testing/pgm-cpum-builder.ts';
import { type PagingFeatures, readPagingFeatures } from './cpuid.ts';
import { CPUM_VERSIONS, readCpum } from './cpum.ts';

const cpus = [{ cr0: 0n, cr2: 0n, cr3: 0n, cr4: 0n, efer: 0n }];
const NONE: PagingFeatures = {
  pse: false,
  pae: false,
  pge: false,
  pse36: false,
  nx: false,
  gigabytePages: false,
  longMode: false,
};

/** Place of each feature: leaf 1 or 0x80000001, bit of EDX. */
const BITS: [keyof PagingFeatures, 'basic' | 'extended', number][] = [
  ['pse', 'basic', 3],
  ['pae', 'basic', 6],
  ['pge', 'basic', 13],
  ['pse36', 'basic', 17],
  ['nx', 'extended', 20],
  ['gigabytePages', 'extended', 26],
  ['longMode', 'extended', 29],
];

describe('the CPUID part of cpum', () => {
  it.each(CPUM_VERSIONS)('tells each paging feature by its bit in version %i', (version) => {
    for (const [feature, leaf, bit] of BITS) {
      const edx = { basic: 0, extended: 0, [leaf]: 1 << bit };
      expect(readCpum(buildCpum({ version, cpus, edx }), version).features).toEqual({ ...NONE, [feature]: true });
    }
  });

  it.each(CPUM_VERSIONS)('tells no feature that other bits stand for in version %i', (version) => {
    const others = (leaf: string) =>
      BITS.reduce((mask, [, at, bit]) => (at === leaf ? mask & ~(1 << bit) : mask), -1) >>> 0;
    const edx = { basic: others('basic'), extended: others('extended') };
    expect(readCpum(buildCpum({ version, cpus, edx }), version).features).toEqual(NONE);
  });

  it.each([
    ['arrays', 14, 36, 36],
    ['entries', 24, 39, 39],
    ['entries', 24, 52, 52],
    ['entries', 24, 53, undefined],
    ['entries', 24, 31, undefined],
  ])('tells the width of physical addresses: %s of version %i with %i', (_, version, width, expected) => {
    const layout = { version, cpus, edx: { basic: 0, extended: 0 }, physicalBits: width };
    expect(readCpum(buildCpum(layout), version).physicalBits).toBe(expected);
  });

  it.each([
    [0, 32],
    [1 << 6, 36],
    [1 << 17, 36],
  ])('without a leaf of widths, those of EDX %i of leaf 1 tell it', (basic, expected) => {
    for (const version of CPUM_VERSIONS)
      expect(readCpum(buildCpum({ version, cpus, edx: { basic, extended: 0 } }), version).physicalBits).toBe(expected);
  });

  // The extended state holds what the guest keeps in its vector registers.
  it.each([17, 20, 21, 24])('is not mistaken for bytes of the guest in its extended state in version %i', (version) => {
    const extended = new PgmBytes().zeros(512).u32(32).u32(1).u32(0).raw(new Uint8Array(64).fill(0xff)).done();
    const edx = { basic: 1 << 6, extended: 0 };
    expect(readCpum(buildCpum({ version, cpus, edx, extended }), version).features).toEqual({ ...NONE, pae: true });
  });

  it('is absent where a payload ends before it', () => {
    const payload = buildCpum({ version: 24, cpus, edx: { basic: 0, extended: 0 } });
    expect(readCpum(payload.subarray(0, 1700), 24).features).toBeUndefined();
    expect(readPagingFeatures(new Uint8Array(0), 100, 12)).toBeUndefined();
    expect(readPagingFeatures(Uint8Array.of(0xff, 0xff, 0xff, 0xff), 0, 12)).toBeUndefined();
  });

  it('is searched in 16 MiB of almost-leaves within two seconds of processor time', () => {
    const payload = new Uint32Array(4 * 2 ** 20);
    // Every 32 bytes start what looks like 4096 entries; the order of their leaves breaks late.
    for (let i = 0; i < payload.length; i += 8) payload.set([32, 4096, i % 32768 === 32760 ? 5 : 0], i);
    payload.fill(0, payload.length - 32768);
    const start = process.cpuUsage();
    expect(readPagingFeatures(new Uint8Array(payload.buffer), 0, 24)).toBeUndefined();
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(2000);
  });
});
