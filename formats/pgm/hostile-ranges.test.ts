import { describe, expect, it } from 'vitest';
import { FormatError, UnsupportedError } from '../errors.ts';
import { buildPgm } from '../testing/pgm-builder.ts';
import { PgmBytes } from '../testing/pgm-bytes.ts';
import { SMALLEST } from '../testing/pgm-examples.ts';
import { PAGE } from '../testing/pgm-machine.ts';
import { outcomeOf } from '../testing/pgm-outcome.ts';
import { cutCompressed } from '../testing/pgm-states.ts';

// RAM ranges of versions 6 to 9, made to exhaust time or memory.

/** All of a payload of versions 6 to 9 up to where the ranges start. */
const beforeRanges = (version: number) => new PgmBytes().raw(buildPgm(SMALLEST, version).slice(0, -4));

function putRange(
  out: PgmBytes,
  version: number,
  index: number,
  first: number | bigint,
  last: number | bigint,
  size: number | bigint,
  ownMemory = 0,
): PgmBytes {
  out.u32(index).u64(first).u64(last).u64(size).u8(ownMemory);
  return version === 6 ? out : out.text('range');
}

describe('hostile RAM ranges', () => {
  it.each([6, 7, 9])('that claim 2^31 pages are not supported or end with the payload, version %i', async (version) => {
    const size = 2 ** 31 * PAGE;
    for (const ownMemory of [0, 1]) {
      const outcome = await outcomeOf(
        version,
        putRange(beforeRanges(version), version, 0, 0, size - 1, size, ownMemory)
          .u8(1)
          .u8(0),
      );
      expect(outcome).toBeInstanceOf(version === 6 ? UnsupportedError : FormatError);
    }
  });

  it.each([6, 7, 9])('with a last address of 2^63 or 2^64 - 1 are refused, version %i', async (version) => {
    for (const last of [2n ** 63n, 2n ** 64n - 1n]) {
      for (const size of [0n, last & ~0xfffn, PAGE]) {
        const outcome = await outcomeOf(version, putRange(beforeRanges(version), version, 0, 0, last, size));
        expect(outcome).toMatchObject({ vboxCode: 'VERR_SSM_LOAD_CONFIG_MISMATCH' });
      }
    }
  });

  it.each([7, 9])(
    'of no pages, whose ends and size do not fit, or that stand across pages are refused, version %i',
    async (version) => {
      for (const [first, last, size] of [
        [0x1000, 0xfff, 0],
        [0x2000, 0xfff, 0x1000],
        [0, 0x1fff, 0x1000],
        [0x800, 0x17ff, 0x1000],
        [0, 0x7ff, 0x800],
      ]) {
        expect(await outcomeOf(version, putRange(beforeRanges(version), version, 0, first, last, size))).toMatchObject({
          vboxCode: 'VERR_SSM_LOAD_CONFIG_MISMATCH',
        });
      }
    },
  );

  it.each([7, 9])('by the thousands are not supported, version %i', async (version) => {
    const out = beforeRanges(version);
    for (let i = 0; i < 5000; i++)
      putRange(out, version, i, i * PAGE, i * PAGE + PAGE - 1, PAGE)
        .u8(1)
        .u8(0);
    expect(await outcomeOf(version, out.u32(0xffffffff))).toBeInstanceOf(UnsupportedError);
  });

  it.each([6, 7, 9])('whose page types alternate without end are refused, version %i', async (version) => {
    const pages = 2 ** 20;
    const types = version === 6 ? [0x804, 0x800] : [0x0001, 0x0006];
    const out = putRange(beforeRanges(version), version, 0, 0, pages * PAGE - 1, pages * PAGE);
    const alternating = Buffer.from(Uint16Array.from({ length: pages }, (_, i) => types[i % 2]).buffer);
    expect(await outcomeOf(version, out.raw(alternating), { cut: cutCompressed(4) })).toBeInstanceOf(UnsupportedError);
  });

  it('in version 6 that are not made of whole chunks are refused', async () => {
    const outcome = await outcomeOf(6, putRange(beforeRanges(6), 6, 0, 0, 0x17ffff, 0x180000));
    expect(outcome).toMatchObject({ vboxCode: 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED' });
  });
});
