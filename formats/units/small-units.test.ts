import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor, OutOfBytes } from '../binary/cursor.ts';
import { FormatError, UnsupportedError } from '../errors.ts';
import { PgmBytes } from '../testing/pgm-bytes.ts';
import { readBuildInfo } from './machine/build-info.ts';
import { readLiveControl } from './machine/live-control.ts';
import { readMm } from './machine/mm.ts';

const cursorOf = (bytes: PgmBytes) => new Cursor(bytes.done());

describe('readBuildInfo()', () => {
  it('reads pairs up to the empty one', () => {
    const cursor = cursorOf(
      new PgmBytes().text('OSE').text('true').text('Host OS').text('win.x86').text('').text('').u8(1),
    );
    expect(readBuildInfo(cursor)).toEqual({ OSE: 'true', 'Host OS': 'win.x86' });
    expect(cursor.at).toBe(cursor.end - 1);
  });

  it('reads the one empty pair of V1.2 as nothing', () => {
    expect(readBuildInfo(cursorOf(new PgmBytes().text('').text('')))).toEqual({});
  });

  it('goes on at a pair with an empty value', () => {
    expect(readBuildInfo(cursorOf(new PgmBytes().text('a').text('').text('').text('')))).toEqual({ a: '' });
  });

  it('takes a name like __proto__ for a name', () => {
    const pairs = readBuildInfo(cursorOf(new PgmBytes().text('__proto__').text('x').text('').text('')));
    expect(Object.keys(pairs)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(pairs)).toBe(Object.prototype);
  });

  it.each([
    ['name', 128, (text: string) => new PgmBytes().text(text)],
    ['value', 1024, (text: string) => new PgmBytes().text('a').text(text)],
  ])('refuses a %s of %i bytes, which the loader has no room for', (_, limit, build) => {
    const tooLong = expect.objectContaining({ code: 'too-long', vboxCode: 'VERR_TOO_MUCH_DATA' });
    expect(() => readBuildInfo(cursorOf(build('x'.repeat(limit))))).toThrow(tooLong);
    expect(() => readBuildInfo(cursorOf(build('x'.repeat(limit - 1))))).toThrow(OutOfBytes);
  });

  it('refuses a length of 2^32 - 1 without waiting for the bytes', () => {
    expect(() => readBuildInfo(cursorOf(new PgmBytes().u32(0xffffffff)))).toThrow(FormatError);
  });

  it('does not support pairs without end', () => {
    const out = new PgmBytes();
    for (let i = 0; i < 1000; i++) out.text(`k${i}`).text('v');
    expect(() => readBuildInfo(cursorOf(out))).toThrow(UnsupportedError);
  });

  it('gives back whatever pairs were written', () => {
    const text = fc.string({ maxLength: 30, unit: 'grapheme' });
    fc.assert(
      fc.property(
        fc.dictionary(
          text.filter((name) => name !== ''),
          text,
        ),
        (pairs) => {
          const out = new PgmBytes();
          for (const [name, value] of Object.entries(pairs)) out.text(name).text(value);
          expect(Object.entries(readBuildInfo(cursorOf(out.text('').text(''))))).toEqual(Object.entries(pairs));
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('readMm()', () => {
  it('reads 32-bit sizes in version 1', () => {
    const cursor = cursorOf(new PgmBytes().u32(0x1000).u32(0x8000000));
    expect(readMm(cursor, 1)).toEqual({ basePages: 0x1000, ramSize: 0x8000000 });
    expect(cursor.at).toBe(cursor.end);
  });

  it('reads 64-bit sizes in version 2', () => {
    const cursor = cursorOf(new PgmBytes().u64(0x140000).u64(0x1_4000_0000));
    expect(readMm(cursor, 2)).toEqual({ basePages: 0x140000, ramSize: 0x1_4000_0000 });
    expect(cursor.at).toBe(cursor.end);
  });

  it('compares the upper 16 bits of the version only, as loaders do', () => {
    expect(readMm(cursorOf(new PgmBytes().u64(1).u64(2)), 99)).toEqual({ basePages: 1, ramSize: 2 });
    const refused = expect.objectContaining({ vboxCode: 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION' });
    expect(() => readMm(cursorOf(new PgmBytes().u64(1).u64(2)), 0x10002)).toThrow(refused);
  });
});

describe('readLiveControl()', () => {
  it('reads hundredths of a percent', () => {
    expect(readLiveControl(cursorOf(new PgmBytes().u16(9310)), 1)).toBe(9310);
  });

  it('does not judge the value, as the loader does not', () => {
    expect(readLiveControl(cursorOf(new PgmBytes().u16(0xffff)), 1)).toBe(0xffff);
  });

  it.each([0, 2])('refuses version %i', (version) => {
    expect(() => readLiveControl(cursorOf(new PgmBytes().u16(1)), version)).toThrow(UnsupportedError);
  });
});
