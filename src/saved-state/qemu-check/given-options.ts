import { UsageError } from '../../../formats/errors.ts';
import { jsonOf } from '../../../formats/values/json-text.ts';
import { object } from '../../../formats/values/shape.ts';
import { partsOf, type QemuOption } from './command-words.ts';

/** Properties of a machine, a device or another object of QEMU, by their names. */
export type Properties = Map<string, string>;

/** Options of a command line, by name. */
export class GivenOptions {
  readonly all: readonly QemuOption[];

  constructor(all: readonly QemuOption[]) {
    this.all = all;
  }

  /** Each value of an option; empty where it has none. */
  values(name: string): string[] {
    return this.all.flatMap((option) => (option.name === name ? [option.value ?? ''] : []));
  }

  /** The last value of an option, which counts where it is given more than once. */
  last(name: string): string | undefined {
    return this.values(name).at(-1);
  }

  has(...names: string[]): boolean {
    return this.all.some(({ name }) => names.includes(name));
  }

  /** The properties of each value. @param first name of the property that is given first without its name */
  properties(name: string, first: string): Properties[] {
    return this.values(name).map((value) => propertiesOf(value, first));
  }
}

/**
 * The properties of a value, `a,b=c` or JSON. @param first name of the property that is given first without its name
 */
export function propertiesOf(value: string, first: string): Properties {
  if (value === '') return new Map();
  if (value.startsWith('{')) return new Map(jsonProperties(value));
  const parts = partsOf(value).map(({ key, value: text }, i): [string, string] => [
    key === '' ? (i === 0 ? first : text) : key,
    key === '' && i > 0 ? '' : text,
  ]);
  return new Map(parts.filter(([key]) => key !== ''));
}

function jsonProperties(text: string): [string, string][] {
  const given = jsonOf(text, object);
  if (!given)
    throw new UsageError('bad-command-line', `Cannot read QEMU's arguments: ${text.slice(0, 60)} is not JSON`);
  return Object.entries(given).map(([key, value]) => [
    key,
    value === true ? 'on' : value === false ? 'off' : String(value),
  ]);
}

/** Parses a size: `1G`, `0x100000`, or `512` times `unit`. @throws UsageError */
export function bytesOf(text: string, unit: number): number {
  const [, digits, suffix] = /^(0x[\da-f]+|[\d.]+)([bkmgtp]?)b?$/i.exec(text) ?? [];
  const size = Number(digits) * (suffix ? 1024 ** 'bkmgtp'.indexOf(suffix.toLowerCase()) : unit);
  if (Number.isSafeInteger(size)) return size;
  throw new UsageError(
    'bad-command-line',
    `Cannot read QEMU's arguments: ${JSON.stringify(text.slice(0, 60))} is no size`,
  );
}
