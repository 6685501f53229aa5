import { describe, expect, it } from 'vitest';
import { FormatError, UnsupportedError } from '../errors.ts';
import { buildPgm, putConfig } from '../testing/pgm-builder.ts';
import { PgmBytes } from '../testing/pgm-bytes.ts';
import { SMALLEST } from '../testing/pgm-examples.ts';
import { emptyMachine } from '../testing/pgm-machine.ts';
import { outcomeOf } from '../testing/pgm-outcome.ts';
import { basicOf } from '../testing/pgm-parts.ts';
import { cutCompressed, cutRaw } from '../testing/pgm-states.ts';

// Payloads made to exhaust time or memory. Each must end, soon, in a value or a SavkitError.

describe('hostile heads', () => {
  it.each([6, 13])('with mappings without end are not supported, version %i', async (version) => {
    const out = new PgmBytes().raw(basicOf(SMALLEST, version).slice(0, -4));
    for (let i = 0; i < 40_000; i++) out.u32(i).text('').u64(0).u64(0);
    for (const size of [1, 100, 4096]) {
      expect(await outcomeOf(version, out, { cut: cutRaw(size) })).toBeInstanceOf(UnsupportedError);
    }
  });

  it.each([9, 13])('with strings of 2^32 - 1 bytes are refused, version %i', async (version) => {
    const mapping = new PgmBytes().raw(basicOf(SMALLEST, version).slice(0, -4)).u32(0).u32(0xffffffff);
    expect(await outcomeOf(version, mapping)).toMatchObject({ vboxCode: 'VERR_TOO_MUCH_DATA' });
    const rom = new PgmBytes().raw(basicOf(SMALLEST, 14)).u32(0).u64(0).u8(1).u32(0xffffffff);
    expect(await outcomeOf(14, rom)).toMatchObject({ vboxCode: 'VERR_TOO_MUCH_DATA' });
  });

  it('with 512 CPUs are read, more are not supported', async () => {
    const machine = (count: number) => emptyMachine({ cpus: new Array(count).fill({ a20: true, mode: 1 }) });
    for (const version of [9, 14])
      expect(await outcomeOf(version, new PgmBytes().raw(buildPgm(machine(512), version)), { cut: cutRaw(1) })).toBe(0);
    for (const version of [9, 13, 14])
      expect(await outcomeOf(version, new PgmBytes().raw(buildPgm(machine(513), version)))).toBeInstanceOf(
        UnsupportedError,
      );
    expect(await outcomeOf(14, new PgmBytes().raw(buildPgm(machine(5000), 14)))).toBeInstanceOf(UnsupportedError);
  });

  it.each([10, 14])('with ROMs or MMIO2 ranges without end are refused, version %i', async (version) => {
    const start = () => {
      const out = new PgmBytes().raw(basicOf(SMALLEST, version));
      return version === 10 ? out : out.u32(0).u64(0);
    };
    const roms = start();
    for (let i = 0; i < 20_000; i++) roms.u8(1).text('').u32(0).u8(0).text('').u64(0).u64(0);
    const mmio2 = start().u8(0xff);
    for (let i = 0; i < 20_000; i++) mmio2.u8(1).text('').u32(0).u8(0).text('').u64(0);
    for (const size of [1, 4096]) {
      expect(await outcomeOf(version, roms, { cut: cutRaw(size) })).toBeInstanceOf(FormatError);
      expect(await outcomeOf(version, mmio2, { cut: cutRaw(size) })).toBeInstanceOf(FormatError);
    }
  });

  it('with 254 ROMs and as many MMIO2 ranges are read', async () => {
    const ids = Array.from({ length: 254 }, (_, i) => i + 1);
    const roms = ids.map((id) => ({ id, description: `ROM ${id}`, address: id * 0x1000, pages: [] }));
    const mmio2 = ids.map((id) => ({
      id,
      device: `d${id}`,
      instance: 0,
      region: 0,
      description: '',
      address: 0,
      pages: [],
    }));
    expect(
      await outcomeOf(14, new PgmBytes().raw(buildPgm(emptyMachine({ roms, mmio2 }), 14)), { cut: cutRaw(1) }),
    ).toBe(0);
  });

  it('with ROMs and MMIO2 ranges of 2^52 bytes and more cost nothing', async () => {
    for (const size of [2n ** 52n, 2n ** 63n, 2n ** 64n - 4096n]) {
      const out = new PgmBytes().raw(basicOf(SMALLEST)).u32(0).u64(0);
      out.u8(1).text('').u32(0).u8(0).text('ROM').u64(0).u64(size).u8(0xff);
      out.u8(1).text('vga').u32(0).u8(0).text('VRam').u64(size).u8(0xff);
      out.u8(0x87).u8(1).u32(0xffffffff).u8(1);
      out.u8(0x83).u8(1).u32(0xffffffff);
      expect(await outcomeOf(14, out.u8(0xff))).toBe(2);
    }
  });

  it('with a hole below 4 GiB of almost 4 GiB leave no RAM below it', async () => {
    const machine = emptyMachine({ ramHole: 0xffffffff, ramSize: 2 ** 20 });
    const out = new PgmBytes().raw(basicOf(machine));
    putConfig(out, machine, 14);
    expect(await outcomeOf(14, out.u8(0x80).u64(0x2000).u8(0xff))).toMatchObject({
      vboxCode: 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS',
    });
  });
});

describe('hostile records', () => {
  const records = (ramSize: number | bigint) =>
    new PgmBytes().raw(basicOf(SMALLEST)).u32(0x20000000).u64(ramSize).u8(0xff).u8(0xff);

  it('at addresses from 2^44 up are refused, whatever the RAM size claims', async () => {
    for (const address of [2n ** 44n, 2n ** 52n, 2n ** 63n, 2n ** 64n - 4096n]) {
      const outcome = await outcomeOf(
        14,
        records(2n ** 64n - 1n)
          .u8(0x80)
          .u64(address)
          .u8(0xff),
      );
      expect(outcome).toMatchObject({ vboxCode: 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS' });
    }
  });

  it('do not run beyond 2^44 without an address', async () => {
    const outcome = await outcomeOf(
      14,
      records(2n ** 64n - 1n)
        .u8(0x80)
        .u64(2n ** 44n - 4096n)
        .u8(0)
        .u8(0xff),
    );
    expect(outcome).toMatchObject({ vboxCode: 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS' });
  });

  it('of two million zero pages are read', async () => {
    const count = 2_000_000;
    const out = records(2n ** 40n)
      .u8(0x80)
      .u64(2 ** 32)
      .zeros(count - 1);
    expect(await outcomeOf(14, out.u8(0xff), { cut: cutCompressed(4) })).toBe(count);
  });

  it('in 200000 container records of one byte are read', async () => {
    const count = 200_000;
    const out = records(2n ** 40n)
      .u8(0x80)
      .u64(2 ** 32)
      .zeros(count - 1);
    expect(await outcomeOf(14, out.u8(0xff), { cut: cutRaw(1) })).toBe(count);
  });
});
