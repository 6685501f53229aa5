import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError, SavkitError, UnsupportedError } from '../../errors.ts';
import { buildCpum, type Registers, TSC_AUX } from '../../testing/pgm-cpum-builder.ts';
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

  const smp = CPUM_VERSIONS.filter((version) => version >= 9).flatMap((version) =>
    [2, 3, 8].map((count) => ({ version, count })),
  );
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
        expect(readCpum(payload, version).cpus.map(({ tscAux }) => tscAux)).toEqual(
          [1, 2, 3].map(() => BigInt(TSC_AUX)),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('at the offsets that the real states of version 24 have', () => {
    const payload = Buffer.from(buildCpum({ version: 24, cpus: cpusOf(1), edx }));
    expect(payload.readBigUInt64LE(838)).toBe(0x1000n);
  });
});

describe('readCpum() reads all registers of old versions', () => {
  /**
   * Where values stand in the guest context, by version, and where that starts: pgm-unit.md 10.2. Of descriptor tables
   * it is the place of their base, which follows a 16-bit limit.
   */
  const PLACES: Record<number, { context: number; at: Record<string, number>; narrow?: true }> = {
    6: {
      context: 1032,
      narrow: true,
      at: {
        rdi: 512,
        rcx: 560,
        rsp: 568,
        rflags: 608,
        rip: 616,
        r8: 624,
        r15: 680,
        cr8: 792,
        gdtr: 866,
        idtr: 882,
        sysenterCs: 904,
        star: 936,
        kernelGsBase: 992,
      },
    },
    8: {
      context: 1024,
      at: {
        rdi: 512,
        rcx: 560,
        rsp: 568,
        rflags: 608,
        rip: 616,
        r8: 624,
        r15: 680,
        gdtr: 882,
        idtr: 894,
        sysenterCs: 912,
        star: 944,
        kernelGsBase: 984,
      },
    },
    14: {
      context: 924 + 8,
      at: {
        rdi: 420,
        rcx: 468,
        rsp: 476,
        rflags: 484,
        rip: 492,
        r8: 500,
        r15: 556,
        gdtr: 778,
        idtr: 788,
        sysenterCs: 796,
        star: 828,
        kernelGsBase: 868,
      },
    },
  };
  /** Selector and hidden part of segment registers. */
  const SEGMENTS: Record<number, Record<string, [selector: number, base: number]>> = {
    6: {
      ss: [572, 712],
      gs: [584, 748],
      fs: [588, 736],
      es: [592, 688],
      ds: [596, 724],
      cs: [600, 700],
      ldtr: [896, 1000],
      tr: [900, 1012],
    },
    8: {
      ss: [580, 720],
      gs: [584, 768],
      fs: [588, 752],
      es: [592, 688],
      ds: [596, 736],
      cs: [600, 704],
      ldtr: [904, 992],
      tr: [908, 1008],
    },
    14: {
      es: [564, 570],
      cs: [586, 592],
      ss: [608, 614],
      ds: [630, 636],
      fs: [652, 658],
      gs: [674, 680],
      ldtr: [876, 882],
      tr: [898, 904],
    },
  };

  it.each([6, 8, 14])('of version %i, where it has them', (version) => {
    const { context: start, at, narrow } = PLACES[version];
    const payload = Buffer.from(buildCpum({ version, cpus: cpusOf(1), edx }));
    const put = (offset: number, value: number) =>
      narrow ? payload.writeUInt32LE(value, start + offset) : payload.writeBigUInt64LE(BigInt(value), start + offset);
    for (const [i, name] of Object.keys(at).entries()) {
      if (['rsp', 'gdtr', 'idtr'].includes(name)) put(at[name], 0x1000 + i);
      else payload.writeBigUInt64LE(BigInt(0x1000 + i), start + at[name]);
    }
    for (const [i, [sel, base]] of Object.values(SEGMENTS[version]).entries()) {
      payload.writeUInt16LE(0x10 + i, start + sel);
      put(base, 0x2000 + i);
      payload.writeUInt32LE(0x3000 + i, start + base + (narrow ? 4 : 8));
      payload.writeUInt32LE(0x9b, start + base + (narrow ? 8 : 12));
    }
    payload.write('fxsave', start + (version === 14 ? 4 : 0));
    const [{ context, fxsave }] = readCpum(payload, version).cpus;
    for (const [i, name] of Object.keys(at).entries()) {
      if (name === 'cr8') continue;
      const value = context?.[name as 'rip' | 'gdtr'];
      expect(typeof value === 'object' ? value.base : value, name).toBe(BigInt(0x1000 + i));
    }
    for (const [i, name] of Object.keys(SEGMENTS[version]).entries())
      expect(context?.[name as 'cs'], name).toMatchObject({
        selector: 0x10 + i,
        base: BigInt(0x2000 + i),
        limit: 0x3000 + i,
        attributes: 0x9b,
      });
    expect(Buffer.from(fxsave ?? []).toString('latin1', 0, 6)).toBe('fxsave');
    expect(context).toMatchObject({ xcr0: 1n, xcr1: 0n, xStateMask: 0n });
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

  it.each([17, 24])(
    'calls a payload of version %i damaged with no CPU or more than fit, and unsupported with more than 512',
    (version) => {
      const prefix = version === 24 ? 2 : 0;
      const withCount = (count: number, room = 0) => {
        const payload = Buffer.concat([buildCpum({ version, cpus: cpusOf(1), edx }), Buffer.alloc(room)]);
        payload.writeUInt32LE(count, prefix);
        return payload;
      };
      for (const count of [0, 513, 0xffffffff]) expect(() => readCpum(withCount(count), version)).toThrow(FormatError);
      expect(() => readCpum(withCount(513, 1024 * 513), version)).toThrow(UnsupportedError);
    },
  );

  it('calls more than 512 CPUs of version 14 unsupported', () => {
    expect(() => readCpum(buildCpum({ version: 14, cpus: cpusOf(513), edx }), 14)).toThrow(UnsupportedError);
  });

  it('says too-short where the claimed size of the MSRs leads out of the payload', () => {
    const payload = Buffer.from(buildCpum({ version: 14, cpus: cpusOf(2), edx }));
    payload.writeUInt32LE(0xffffffff, 2 * 924 + 4);
    expect(() => readCpum(payload, 14)).toThrow(
      expect.objectContaining({ code: 'too-short', vboxCode: 'VERR_SSM_LOADED_TOO_MUCH' }),
    );
  });
});
