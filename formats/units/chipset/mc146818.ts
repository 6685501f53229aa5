import type { Cursor } from '../../binary/cursor.ts';
import { array, bool, bytes, u8, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { type DeviceConfig, isaConfig } from '../codec/device-config.ts';
import { fields, s32, s64, timer, x8, x16 } from '../codec/kinds.ts';
import { firstBytes, lenient, start, type UnitRow, versions } from '../codec/unit-row.ts';

const rtc = defineStruct('Start of unit mc146818, versions 2–4', 'device-units.md', {
  irq: { kind: u8, doc: 'interrupt' },
  port: { kind: u16, doc: 'first I/O port' },
  utc: { kind: bool, doc: 'the clock was set to UTC at power-on, not to the local time of the host' },
  cmos: {
    kind: bytes(128),
    doc: 'memory; its first ten bytes follow the clock only when the guest sees a second pass',
  },
  index: { kind: u8, doc: 'index register' },
  time: { kind: array(u32, 7), doc: 'second, minute, hour, day of the week, day, month from 0, year since 1900' },
});

const rtcWhole = defineStruct('Unit mc146818, version 4', 'device-units.md', {
  irq: { kind: u8, doc: 'interrupt; compared with the machine' },
  port: { kind: x16, doc: 'first I/O port; compared with the machine' },
  utc: { kind: bool, doc: 'the clock was set to UTC at power-on, not to the local time of the host' },
  cmos: {
    kind: bytes(128),
    doc: 'memory; its first ten bytes follow the clock only when the guest sees a second pass',
  },
  index: { kind: x8, doc: 'register that the guest has chosen' },
  ...fields(
    s32,
    ['second', 'minute', 'hour', 'weekday', 'day', 'month', 'year'],
    'the clock; months from 0, years since 1900',
  ),
  periodic: { kind: timer, doc: '' },
  nextPeriodic: { kind: s64, doc: "in ns of the timers' clock" },
  nextSecond: { kind: s64, doc: "in ns of the timers' clock" },
  secondTimer: { kind: timer, doc: '' },
  secondTimer2: { kind: timer, doc: '' },
  disabledByHpet: { kind: bool, doc: '' },
  cmos1: { kind: bytes(128), doc: 'second bank' },
  index1: { kind: x8, doc: '' },
});
export type Rtc = StructValue<typeof rtcWhole>;
const rtcCodec = codecOf(rtcWhole);

/** Time of the guest's clock. */
export interface GuestClock {
  /** `2026-11-29 11:06:00`, in the time zone that the guest assumes for the clock. */
  time: string;
  /** VirtualBox set the clock to UTC, not to the local time of the host. */
  utc: boolean;
}

/** Reads the clock as the guest does; undefined where its numbers are no time. @throws OutOfBytes */
export function readGuestClock(cursor: Cursor): GuestClock | undefined {
  return clockOf(rtc.read(cursor));
}

function clockOf({ utc, time }: StructValue<typeof rtc>): GuestClock | undefined {
  const [second, minute, hour, , day, month, year] = time;
  const isTime = second < 60 && minute < 60 && hour < 24 && day >= 1 && day <= 31 && month < 12 && year < 8100;
  if (!isTime) return undefined;
  const two = (value: number) => String(value).padStart(2, '0');
  return { time: `${1900 + year}-${two(month + 1)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`, utc };
}

/** Configuration of the clock; no settings change it. */
export function rtcConfig(irq = 8, port = 0x70): DeviceConfig {
  return isaConfig(irq, port);
}

function readFacts(cursor: Cursor): { guestClock?: GuestClock; config: DeviceConfig } {
  const head = rtc.read(cursor);
  const guestClock = clockOf(head);
  return { config: rtcConfig(head.irq, head.port), ...(guestClock ? { guestClock } : {}) };
}

const facts = lenient(start(readFacts));

/** The real-time clock and its CMOS memory. */
export const rtcRows: readonly UnitRow[] = [
  { unit: 'mc146818', instance: 0, versions: versions(2, 3), facts },
  { unit: 'mc146818', instance: 0, versions: versions(4), facts, codec: rtcCodec, livePass: firstBytes(4) },
];
