import { describe, expect, it } from 'vitest';
import { Cursor } from '../../binary/cursor.ts';
import { realUnits } from '../../testing/pgm-real-units.ts';
import { readGuestClock } from './mc146818.ts';

/** Up to the clock's fields: interrupt 8, port 0x70, UTC, CMOS, index. */
const unit = (utc: number, ...time: number[]) =>
  Buffer.concat([Buffer.of(8, 0x70, 0, utc), Buffer.alloc(129), Buffer.from(Uint32Array.from(time).buffer)]);

describe('readGuestClock()', () => {
  it('gives the time as the guest reads it', () => {
    expect(readGuestClock(new Cursor(unit(0, 0, 6, 11, 0, 29, 10, 126)))).toEqual({
      time: '2026-11-29 11:06:00',
      utc: false,
    });
    expect(readGuestClock(new Cursor(unit(1, 59, 59, 23, 6, 31, 11, 99)))).toEqual({
      time: '1999-12-31 23:59:59',
      utc: true,
    });
  });

  it('gives none for numbers that are no time', () => {
    for (const time of [
      [60, 0, 0, 0, 1, 0, 100],
      [0, 60, 0, 0, 1, 0, 100],
      [0, 0, 24, 0, 1, 0, 100],
      [0, 0, 0, 0, 0, 0, 100],
      [0, 0, 0, 0, 1, 12, 100],
      [0, 0, 0, 0, 1, 0, 0xffffffff],
    ])
      expect(readGuestClock(new Cursor(unit(0, ...time)))).toBeUndefined();
  });

  it('reads the clocks of real states', async () => {
    const units = (await realUnits('mc146818')).filter(({ pass }) => pass === 'final');
    expect(units.length).toBeGreaterThan(0);
    for (const { payload } of units)
      expect(readGuestClock(new Cursor(payload))?.time).toMatch(/^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$/);
  });
});
