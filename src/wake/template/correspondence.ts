import type { Timer } from '../../../formats/units/codec/kinds.ts';
import type { FieldValue, SectionImage } from './section-image.ts';

/** Clocks of a machine when it was saved, in ns. QEMU's timers count the same as the guest's timers in VirtualBox. */
export interface Moment {
  /** The clock of the guest's timers (TMVIRTUAL_SYNC). */
  now: bigint;
  /** Lead of VirtualBox's other clock (TMVIRTUAL) over `now`. */
  lag: bigint;
}

/**
 * Translation of one value between both machines. Values of VirtualBox are parts of a decoded unit, those of QEMU
 * fields of a section. Either direction may be missing; the value then stays as it was. `Part` is the decoded unit, or
 * the part of one, that a table is for.
 */
export interface Correspondence<Part extends object = object> {
  /** Path of the field in QEMU's section. */
  qemu: string;
  /** Value for QEMU; undefined leaves the template's. */
  wake?(unit: Part, moment: Moment): FieldValue | undefined;
  /** Puts QEMU's value into the unit. */
  back?(fields: SectionImage, unit: Part, moment: Moment): void;
}

/** A value that is equal in both machines. @param vbox path in the unit; default: the name of the field */
export function same(qemu: string, vbox: string): Correspondence {
  return {
    qemu,
    wake: (unit) => fieldValue(valueAt(unit, vbox)),
    back: (fields, unit) => {
      const before = valueAt(unit, vbox);
      setAt(unit, vbox, before instanceof Uint8Array ? fields.bytes(qemu) : likeBefore(fields.number(qemu), before));
    },
  };
}

/** Values that are equal in both machines, but have other names: `[QEMU, VirtualBox]`. */
export function sameEach(qemu: string, vbox: string, names: readonly (readonly [string, string])[]): Correspondence[] {
  return names.map(([theirs, ours]) => same(`${qemu}${theirs}`, `${vbox}${ours}`));
}

/** An array of numbers. */
export function sameList(qemu: string, vbox: string, count: number): Correspondence[] {
  return Array.from({ length: count }, (_, i) => same(`${qemu}[${i}]`, `${vbox}[${i}]`));
}

/** Bytes that VirtualBox keeps as a list of numbers, or as bytes. */
export function sameBytes(qemu: string, vbox: string): Correspondence {
  return {
    qemu,
    wake: (unit) => Uint8Array.from(valueAt(unit, vbox) as ArrayLike<number>),
    back: (fields, unit) => {
      const bytes = fields.bytes(qemu);
      setAt(unit, vbox, valueAt(unit, vbox) instanceof Uint8Array ? bytes : [...bytes]);
    },
  };
}

/** A number in different units or encodings. */
export function converted(
  qemu: string,
  vbox: string,
  toQemu: (value: bigint) => bigint,
  toVirtualBox: (value: bigint, before: bigint) => bigint,
): Correspondence {
  return {
    qemu,
    wake: (unit) => toQemu(fieldValue(valueAt(unit, vbox)) as bigint),
    back: (fields, unit) => {
      const before = valueAt(unit, vbox);
      const value = toVirtualBox(fields.number(qemu), fieldValue(before) as bigint);
      setAt(unit, vbox, likeBefore(value, before));
    },
  };
}

/** A value that QEMU alone stores, computed from the unit. */
export function computed<Part extends object>(
  qemu: string,
  wake: (unit: Part, moment: Moment) => FieldValue | undefined,
): Correspondence<Part> {
  return { qemu, wake };
}

/** QEMU's expiry time of a stopped timer. */
const STOPPED = -1n;
const TIMER_STOPPED = 4;
const TIMER_ACTIVE = 7;

/** A timer that runs by the clock `now` of a Moment. */
export function sameTimer(qemu: string, vbox: string): Correspondence {
  return {
    qemu,
    wake: (unit) => (valueAt(unit, vbox) as Timer).expires ?? STOPPED,
    back: (fields, unit) => {
      const expires = BigInt.asIntN(64, fields.number(qemu));
      setAt(unit, vbox, expires === STOPPED ? { state: TIMER_STOPPED } : { state: TIMER_ACTIVE, expires });
    },
  };
}

/** Puts all values into QEMU's section. */
export function wakeSection<Part extends object>(
  table: readonly Correspondence<Part>[],
  unit: Part,
  section: SectionImage,
  moment: Moment,
): void {
  for (const { qemu, wake } of table) {
    const value = wake?.(unit, moment);
    if (value !== undefined) section.set(qemu, value);
  }
}

/** Takes all values back into a decoded unit. */
export function takeBack<Part extends object>(
  table: readonly Correspondence<Part>[],
  section: SectionImage,
  unit: Part,
  moment: Moment,
): void {
  for (const { back } of table) back?.(section, unit, moment);
}

/** The part of a unit at a path such as `ports[3].command`, as `inspect --unit` shows it. */
export function valueAt(unit: unknown, path: string): unknown {
  return stepsOf(path).reduce((value: unknown, step) => (value as Named)[step], unit);
}

export function setAt(unit: unknown, path: string, value: unknown): void {
  const steps = stepsOf(path);
  const last = steps.pop() ?? '';
  (steps.reduce((at: unknown, step) => (at as Named)[step], unit) as Named)[last] = value;
}

type Named = Record<string, unknown>;

function stepsOf(path: string): string[] {
  return path.split(/[.[\]]+/).filter((step) => step !== '');
}

function fieldValue(value: unknown): FieldValue {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'boolean' ? (value ? 1n : 0n) : BigInt(value as number | bigint);
}

/** A number in the type of the unit's old value. */
function likeBefore(value: bigint, before: unknown): unknown {
  if (typeof before === 'bigint') return value;
  return typeof before === 'boolean' ? value !== 0n : Number(value);
}
