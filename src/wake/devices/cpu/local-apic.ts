import type { Apic } from '../../../../formats/units/cpu/apic.ts';
import {
  type Correspondence,
  computed,
  converted,
  same,
  sameEach,
  sameList,
  sameTimer,
} from '../../template/correspondence.ts';
import type { SectionImage } from '../../template/section-image.ts';

type LocalApic = Apic['cpu'][number];

/** Shift to bits 24 to 31 of a register; QEMU keeps only these. */
const HIGH_BYTE = 24n;
/** QEMU keeps only the upper four bits of the destination format; all others read as ones. */
const FORMAT_SHIFT = 28n;
const FORMAT_LOW_BITS = 0x0fff_ffffn;
const LOW_BITS = 0xff_ffffn;

/** Number of times that the timer's clock is halved, from bits 0, 1 and 3 of the divide register. */
function countShift(divide: bigint): bigint {
  return (((divide & 3n) | ((divide >> 1n) & 4n)) + 1n) & 7n;
}

/** One CPU of unit apic, in xAPIC mode. Both clocks run at 1 GHz. */
export const localApic: readonly Correspondence<LocalApic>[] = [
  same('apicbase', 'base'),
  ...sameEach('', 'page.', [
    ['id', 'id'],
    ['tpr', 'tpr'],
    ['spurious_vec', 'svr'],
  ]),
  converted(
    'log_dest',
    'page.ldr',
    (ldr) => ldr >> HIGH_BYTE,
    (value, before) => (value << HIGH_BYTE) | (before & LOW_BITS),
  ),
  converted(
    'dest_mode',
    'page.dfr',
    (dfr) => dfr >> FORMAT_SHIFT,
    (value) => (value << FORMAT_SHIFT) | FORMAT_LOW_BITS,
  ),
  ...['isr', 'tmr', 'irr'].flatMap((name) => sameList(name, `page.${name}`, 8)),
  ...sameEach('', 'page.', [
    ['lvt[0]', 'lvtTimer'],
    ['lvt[1]', 'lvtThermal'],
    ['lvt[2]', 'lvtPerformance'],
    ['lvt[3]', 'lvtLint0'],
    ['lvt[4]', 'lvtLint1'],
    ['lvt[5]', 'lvtError'],
    ['esr', 'esr'],
    ['icr[0]', 'icrLow'],
    ['icr[1]', 'icrHigh'],
    ['divide_conf', 'divide'],
    ['initial_count', 'initialCount'],
  ]),
  computed('count_shift', (part) => countShift(BigInt(part.page?.divide ?? 0))),
  same('initial_count_load_time', 'timerStart'),
  sameTimer('next_time', 'timer'),
  sameTimer('timer_expiry', 'timer'),
];

/** Field of a CPU that waits for a start-up message; in QEMU's template all CPUs but the first wait. */
export const WAITS_FOR_START = 'apic_sipi.wait_for_sipi';

/** @throws UnsupportedError for a CPU that waits, if QEMU has no field for it */
export function setWaitsForStart(section: SectionImage, waits: boolean): void {
  if (waits || section.has(WAITS_FOR_START)) section.set(WAITS_FOR_START, waits ? 1n : 0n);
}

const ENABLED = 0x800n;
const MASKED = 0x10000;

/** Whether a pending interrupt of the local APIC has a higher priority than the CPU. */
export function hasDeliverable({ base, page }: LocalApic): boolean {
  if (!page || (base & ENABLED) === 0n || (page.svr & 0x100) === 0) return false;
  const waiting = highest(page.irr);
  const inService = highest(page.isr);
  const priority = Math.max(page.tpr, inService, 0) >>> 4;
  return waiting >= 0 && waiting >>> 4 > priority;
}

/** Whether the CPU accepts interrupts of the 8259. */
export function takesPic({ base, page }: LocalApic): boolean {
  return !page || (base & ENABLED) === 0n || (page.lvtLint0 & MASKED) === 0;
}

/** The highest vector of a bit map; −1 for none. */
function highest(registers: readonly number[]): number {
  for (let vector = 255; vector >= 0; vector--)
    if (((registers[vector >>> 5] >>> (vector & 31)) & 1) !== 0) return vector;
  return -1;
}
