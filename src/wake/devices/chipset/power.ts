import type { Acpi } from '../../../../formats/units/chipset/legacy.ts';
import { type Correspondence, computed, type Moment, sameEach } from '../../template/correspondence.ts';

/** Ticks per second of the power management timer. */
const TIMER_HZ = 3_579_545n;
const SECOND = 1_000_000_000n;
/** The flag of the timer is raised whenever its bit 23 changes. */
const HALF_TURN = 0x80_0000n;
/** Bit of the event register: the timer raises an interrupt. */
const TIMER_ENABLED = 1;

/** Tick at which the timer's flag is raised next. */
function nextOverflow({ now }: Moment): bigint {
  return ((now * TIMER_HZ) / SECOND + HALF_TURN) & ~(HALF_TURN - 1n);
}

/** Unit acpi: the fixed registers of power management. @param qemu path of the same registers in QEMU's section */
export function power(qemu: string): Correspondence<Acpi>[] {
  return [
    ...sameEach(`${qemu}pm1.`, '', [
      ['evt.sts', 'pm1Status'],
      ['evt.en', 'pm1Enable'],
      ['cnt.cnt', 'pm1Control'],
    ]),
    computed(`${qemu}tmr.overflow_time`, (_, moment) => nextOverflow(moment)),
    computed(`${qemu}tmr.timer`, (part: Acpi, moment) =>
      (part.pm1Enable & TIMER_ENABLED) !== 0 ? (nextOverflow(moment) * SECOND) / TIMER_HZ + 1n : -1n,
    ),
  ];
}
