import type { Rtc } from '../../../../formats/units/chipset/mc146818.ts';
import {
  type Correspondence,
  computed,
  type Moment,
  same,
  sameBytes,
  sameTimer,
} from '../../template/correspondence.ts';

const SECOND = 1_000_000_000n;
const SECONDS_A_DAY = 86_400;

/** Registers of the clock in CMOS memory. */
const Register = { SECOND_ALARM: 1, MINUTE_ALARM: 3, HOUR_ALARM: 5, B: 11, C: 12 } as const;
/** Bits of register B. */
const SET = 0x80;
const ALARM_ENABLED = 0x20;
const BINARY = 0x04;
const HOURS_24 = 0x02;
/** Bit of register C: the time was updated, once a second. */
const UPDATED = 0x10;
/** An alarm register with this value or a greater one matches any time. */
const ANY = 0xc0;

/** Time of the clock, in s since 1970. */
function secondsOf({ second, minute, hour, day, month, year }: Rtc): bigint {
  return BigInt(Math.floor(Date.UTC(1900 + year, month, day, hour, minute, second) / 1000));
}

function numberOf(value: number, isBinary: boolean): number {
  return isBinary ? value : 10 * (value >>> 4) + (value & 15);
}

function hourOf(value: number, controls: number): number {
  const isBinary = (controls & BINARY) !== 0;
  if ((controls & HOURS_24) !== 0) return numberOf(value, isBinary);
  return (numberOf(value & 0x7f, isBinary) % 12) + ((value & 0x80) !== 0 ? 12 : 0);
}

/** Seconds until the alarm; a day if it is set to a time that does not exist. */
function secondsToAlarm(rtc: Rtc): number {
  const { cmos, second, minute, hour } = rtc;
  const controls = cmos[Register.B];
  const isBinary = (controls & BINARY) !== 0;
  const wanted = [
    { register: Register.SECOND_ALARM, every: 1, count: 60, value: (v: number) => numberOf(v, isBinary) },
    { register: Register.MINUTE_ALARM, every: 60, count: 60, value: (v: number) => numberOf(v, isBinary) },
    { register: Register.HOUR_ALARM, every: 3600, count: 24, value: (v: number) => hourOf(v, controls) },
  ].filter(({ register }) => cmos[register] < ANY);
  const start = 3600 * hour + 60 * minute + second;
  for (let passed = 1; passed < SECONDS_A_DAY; passed++) {
    const isIt = wanted.every(
      ({ register, every, count, value }) => Math.floor((start + passed) / every) % count === value(cmos[register]),
    );
    if (isIt) return passed;
  }
  return SECONDS_A_DAY;
}

/** Expiry of QEMU's update timer, which runs while the flag UPDATED is clear or the alarm is enabled; −1 if stopped. */
function updateTimer(rtc: Rtc): bigint {
  const controls = rtc.cmos[Register.B];
  const isStopped =
    (controls & SET) !== 0 || ((rtc.cmos[Register.C] & UPDATED) !== 0 && (controls & ALARM_ENABLED) === 0);
  return isStopped ? -1n : rtc.nextSecond;
}

/** Passed part of the current second, in ns. */
function passedOf({ nextSecond }: Rtc, { now }: Moment): bigint {
  const left = nextSecond - now;
  return left > 0n && left <= SECOND ? SECOND - left : 0n;
}

/** Unit mc146818. QEMU counts the time from a moment on; VirtualBox stores the registers. */
export const realTimeClock: readonly Correspondence<Rtc>[] = [
  sameBytes('cmos_data', 'cmos'),
  same('cmos_index', 'index'),
  sameTimer('periodic_timer', 'periodic'),
  same('next_periodic_time', 'nextPeriodic'),
  {
    qemu: 'base_rtc',
    wake: (part) => secondsOf(part),
    back: (fields, part, { now }) => {
      const sinceEpoch =
        fields.number('base_rtc') * SECOND + now - fields.number('last_update') + fields.number('offset');
      const shown = new Date(Number(sinceEpoch / SECOND) * 1000);
      const nextSecond = now + SECOND - (sinceEpoch % SECOND);
      Object.assign(part, {
        second: shown.getUTCSeconds(),
        minute: shown.getUTCMinutes(),
        hour: shown.getUTCHours(),
        weekday: shown.getUTCDay(),
        day: shown.getUTCDate(),
        month: shown.getUTCMonth(),
        year: shown.getUTCFullYear() - 1900,
        nextSecond,
        secondTimer: { state: 7, expires: nextSecond },
        secondTimer2: { state: 4 },
      });
    },
  },
  computed('last_update', (_, { now }) => now),
  computed('offset', (part, moment) => passedOf(part, moment)),
  computed('update_timer', (part) => updateTimer(part)),
  computed('next_alarm_time', (part) => part.nextSecond + BigInt(secondsToAlarm(part) - 1) * SECOND),
];
