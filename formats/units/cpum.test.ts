import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError, SavkitError } from '../errors.ts';
import { buildCpum, type Registers, TSC_AUX } from '../testing/pgm-cpum-builder.ts';
import { CPUM_VERSIONS, readCpum } from './cpum.ts';

const edx = { basic: 1 << 6, extended: 1 << 29 };

function registersOf(cpu: number): Registers {
  const n = BigInt(cpu + 1);
  return { cr0: 0x80010011n, cr2: 0xdead0000n + n, cr3: 0x1000n * n, cr4: 0x620n, efer: 0xd00n + n };
}
const cpusOf = (count: number) => Array.from({ length: count }, (_, i) => registersOf(i));

function controlRegisters(payload: Uint8Array, version: number): Registers[] {
  return readCpum(payload, version).cpus.map(({ cr0, cr2, cr3, cr4, efer }) => ({ cr0, cr2, cr3, cr4, efer }));
}

describe('readCpum() finds the control registers', () => {
  it.each(CPUM_VERSIONS)('of one CPU in version %i', (version) => {
    const cpus = cpusOf(1);
    expect(controlRegisters(buildCpum({ version, cpus, edx }), version)).toEqual(cpus);
  });

  const smp = CPUM_VERSIONS.filter((version) => version >= 9).flatMap((version) => [2, 3, 8].map((count) => ({ version, count })));
  it.each(smp)('of $count CPUs in version $version', ({ version, count }) => {
    const cpus = cpusOf(count);
    expect(controlRegisters(buildCpum({ version, cpus, edx }), version)).toEqual(cpus);
  });

  it('of two CPUs in version 10 with the one hypervisor context of 2.1 and 2.2', () => {
    const cpus = cpusOf(2);
    expect(controlRegisters(buildCpum({ version: 10, cpus, edx, oneHypervisor: true }), 10)).toEqual(cpus);
  });

  it.each([17, 21, 24])('of three CPUs in version %i whatever the length of their extended state', (version) => {
    const cpus = cpusOf(3);
    const extended = fc.uint8Array({ maxLength: 700 });
    fc.assert(
      fc.property(extended, (bytes) => {
        const payload = buildCpum({ version, cpus, edx, extended: bytes });
        expect(controlRegisters(payload, version)).toEqual(cpus);
        expect(readCpum(payload, version).cpus.map(({ tscAux }) => tscAux)).toEqual([1, 2, 3].map(() => BigInt(TSC_AUX)));
      }),
      { numRuns: 30 },
    );
  });

  it('at the offsets that the real states of version 24 have', () => {
    const payload = Buffer.from(buildCpum({ version: 24, cpus: cpusOf(1), edx }));
    expect(payload.readBigUInt64LE(838)).toBe(0x1000n);
  });
});

describe('readCpum() with a damaged payload', () => {
  it.each(CPUM_VERSIONS)('cut at any length in version %i gives a value or a FormatError', (version) => {
    const payload = buildCpum({ version, cpus: cpusOf(version >= 9 ? 2 : 1), edx });
    for (let length = 0; length < payload.length; length += length < 16 ? 1 : 7) {
      try {
        readCpum(payload.subarray(0, length), version);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  });

  it.each(CPUM_VERSIONS)('of random bytes in version %i gives a value or a SavkitError', (version) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (payload) => {
        try {
          readCpum(payload, version);
        } catch (error) {
          expect(error).toBeInstanceOf(SavkitError);
        }
      }),
    );
  });

  it.each([17, 24])('refuses more than 512 CPUs, and none, in version %i', (version) => {
    const prefix = version === 24 ? 2 : 0;
    for (const count of [0, 513, 0xffffffff]) {
      const payload = Buffer.from(buildCpum({ version, cpus: cpusOf(1), edx }));
      payload.writeUInt32LE(count, prefix);
      expect(() => readCpum(payload, version)).toThrow(FormatError);
    }
  });

  it('says too-short where the claimed size of the MSRs leads out of the payload', () => {
    const payload = Buffer.from(buildCpum({ version: 14, cpus: cpusOf(2), edx }));
    payload.writeUInt32LE(0xffffffff, 2 * 924 + 4);
    expect(() => readCpum(payload, 14)).toThrow(expect.objectContaining({ code: 'too-short', vboxCode: 'VERR_SSM_LOADED_TOO_MUCH' }));
  });
});
