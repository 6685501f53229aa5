import type { Hpet } from '../../../../formats/units/chipset/timers.ts';
import { type Correspondence, same, sameTimer } from '../../template/correspondence.ts';
import type { SectionImage } from '../../template/section-image.ts';
import type { MachineUnits } from '../../units/machine-units.ts';

/** Length of a tick that QEMU's HPET has, in fs. */
export const HPET_PERIOD = 10_000_000n;
/** Timers of an HPET; QEMU's has at least as many. */
export const HPET_TIMERS = 3;
/** Length of a tick in ns. */
const TICK = HPET_PERIOD / 1_000_000n;
/** Bit of the configuration: the counter runs. */
const RUNS = 1n;
/** The guest's settings in a timer's configuration; the upper half holds the timer's capabilities. */
const SETTINGS = 0xffff_ffffn;

/** Length of a tick in fs. */
export function periodOf({ capabilities }: Hpet): bigint {
  return capabilities >> 32n;
}

/** Whether the guest has switched the HPET on. */
export function isInUse({ config }: Hpet): boolean {
  return (config & RUNS) !== 0n;
}

/** The HPET, if it can go on in QEMU, which has only one rate. */
export function hpetThatGoesOn(units: MachineUnits, without: ReadonlySet<string>): Hpet | undefined {
  const unit = without.has('hpet') ? undefined : units.find<Hpet>('hpet/0');
  return unit && periodOf(unit) === HPET_PERIOD ? unit : undefined;
}

/** Numbers of the timers of QEMU's HPET, counted by their fields. */
function timersOf(section: SectionImage): number[] {
  const timers: number[] = [];
  while (section.has(`timer[${timers.length}].config`)) timers.push(timers.length);
  return timers;
}

/** Unit hpet. @param section tells how many timers QEMU has */
export function hpet(section: SectionImage): Correspondence<Hpet>[] {
  return [
    same('config', 'config'),
    same('isr', 'isr'),
    {
      qemu: 'hpet_counter',
      wake: (part, { now }) => {
        const { config, offset, counter } = part;
        return (config & RUNS) !== 0n ? BigInt.asUintN(64, now + offset) / TICK : counter;
      },
      back: (fields, part, { now }) => {
        const counter = fields.number('hpet_counter');
        Object.assign(part, { counter, offset: BigInt.asUintN(64, counter * TICK - now) });
      },
    },
    ...timersOf(section).flatMap(timer),
  ];
}

function timer(i: number): Correspondence<Hpet>[] {
  const qemu = `timer[${i}].`;
  const isThere = (part: Hpet) => i < part.timers.length;
  const table = [
    comparator(`${qemu}cmp`, i),
    same(`${qemu}fsb`, `timers[${i}].fsb`),
    same(`${qemu}period`, `timers[${i}].period`),
    same(`${qemu}wrap_flag`, `timers[${i}].wrap`),
    sameTimer(`${qemu}qemu_timer`, `timers[${i}].timer`),
    settings(`${qemu}config`, i),
  ];
  return table.map(({ qemu: path, wake, back }) => ({
    qemu: path,
    wake: (part, moment) => (isThere(part) ? wake?.(part, moment) : undefined),
    back: (fields, part, moment) => {
      if (isThere(part)) back?.(fields, part, moment);
    },
  }));
}

/** Bit of a timer's configuration: it compares 32 bits. */
const IS_NARROW = 0x100n;

/** A timer's comparator, of which VirtualBox keeps more bits than a timer of 32 bits compares. */
function comparator(qemu: string, i: number): Correspondence<Hpet> {
  const path = `timers[${i}].comparator`;
  return {
    ...same(qemu, path),
    wake: (part) => {
      const { config, comparator: value } = part.timers[i];
      return (config & IS_NARROW) !== 0n ? BigInt.asUintN(32, value) : value;
    },
  };
}

function settings(qemu: string, i: number): Correspondence<Hpet> {
  return {
    qemu,
    wake: (part) => part.timers[i].config,
    back: (fields, part) => {
      const own = part.timers[i];
      own.config = (own.config & ~SETTINGS) | (fields.number(qemu) & SETTINGS);
    },
  };
}
