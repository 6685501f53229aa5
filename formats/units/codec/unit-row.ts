import { Cursor, OutOfBytes } from '../../binary/cursor.ts';
import { SavkitError, unlessBad } from '../../errors.ts';
import type { UnitHeader } from '../../ssm/container.ts';
import type { PayloadReader } from '../../ssm/payload.ts';
import type { UnitCodec } from './codec.ts';
import type { DeviceConfig } from './device-config.ts';

/** How a unit's payload is read: what the state is told of it. Throws what the reader of a payload throws. */
export type Reading<Facts extends object> = (payload: PayloadReader, unit: UnitHeader) => Promise<Facts>;

/** What a loader compares with the machine's configuration; undefined where its layout is not known. */
export interface ConfigFact {
  config: DeviceConfig | undefined;
}

/** What a unit tells people of its device. */
export interface Told {
  /** A network card's model, as settings call it. */
  model?: string;
  /** Its address, `08:00:27:…`. */
  mac?: string;
  /** Disks and drives, by where they are attached. */
  media?: readonly { place: string; what: string }[];
  /** Interrupts and exceptions that wait for a CPU. */
  pending?: readonly string[];
  /** Connections of guest additions to services of the host. */
  connections?: number;
  /** How long the machine has run, in nanoseconds. */
  ranNs?: bigint;
}

/** All that savkit knows of one unit in some of its versions. The table of all rows is in ../table.ts. */
export interface UnitRow {
  /** Name of the unit. */
  unit: string;
  /** Absent: any. */
  instance?: number;
  /** Absent: any. */
  versions?: readonly number[];
  /** A live save carries the unit in several passes, and each of them is read; else only the final one is. */
  everyPass?: boolean;
  /** The loader compares a part of the unit with the machine's configuration; known even where the layout is not. */
  isCompared?: boolean;
  /** What the unit tells of the state. */
  facts?: Reading<object>;
  /** What the loader compares, out of a whole payload. @throws OutOfBytes */
  configOf?: (payload: Uint8Array) => DeviceConfig;
  /** Reads and writes the whole payload of the final pass. */
  codec?: UnitCodec;
  /**
   * The payload in pass 0 of a live save, from that of the final pass: a piece of it, or a copy. Undefined where it
   * can't be told: VirtualBox does without it, as it does in the second live save of a process.
   */
  livePass?: (payload: Uint8Array, version: number) => Uint8Array | undefined;
}

/** Versions from the first to the last. */
export function versions(first: number, last = first): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** One structure is all of the unit; a rest is damage. */
export function whole<Facts extends object>(read: (cursor: Cursor, unit: UnitHeader) => Facts): Reading<Facts> {
  return async (payload, unit) => {
    const facts = await payload.parse((cursor) => read(cursor, unit));
    await payload.expectEnd();
    return facts;
  };
}

/** One structure starts the unit; a unit that ends before is damaged. */
export function start<Facts extends object>(read: (cursor: Cursor, unit: UnitHeader) => Facts): Reading<Facts> {
  return (payload, unit) => payload.parse((cursor) => read(cursor, unit));
}

/** Has to have the whole payload before it. @param limit bytes; a longer payload is not supported */
export function collected<Facts extends object>(
  limit: number,
  read: (bytes: Uint8Array, unit: UnitHeader) => Facts,
): Reading<Facts> {
  return async (payload, unit) => read(await payload.rest(limit), unit);
}

/** Of a unit that is not as expected nothing is told, and that is no damage to speak of: its loader will judge. */
export function lenient<Facts extends object>(reading: Reading<Facts>): Reading<Partial<Facts>> {
  return async (payload, unit) => {
    try {
      return await reading(payload, unit);
    } catch (error) {
      if (error instanceof OutOfBytes) return {};
      if (error instanceof SavkitError && NOT_AS_EXPECTED.includes(error.code)) return {};
      throw error;
    }
  };
}
const NOT_AS_EXPECTED = ['too-short', 'too-long', 'bad-marker'];

/** What a whole payload tells people; nothing where it is not laid out as its version demands. */
export function telling<T>(
  codec: UnitCodec<T>,
  tells: (value: T) => Told,
): (payload: Uint8Array, unit: { version: number }) => { told?: Told } {
  return (payload, { version }) => {
    const told = unlessBad(() => tells(codec.decode(payload, version)));
    return told ? { told } : {};
  };
}

/** Units of devices that tell of themselves are smaller. */
const TELLING_LIMIT = 4 * 1024 * 1024;

/** The facts of a unit that only tells people. */
export function toldFacts<T>(codec: UnitCodec<T>, tells: (value: T) => Told): Reading<{ told?: Told }> {
  return lenient(collected(TELLING_LIMIT, telling(codec, tells)));
}

/** A row of a device whose loader compares what stands first in its unit. @param tells what it tells people besides */
export function comparedRow<T>(
  unit: string,
  known: readonly number[],
  read: (cursor: Cursor) => DeviceConfig,
  codec?: UnitCodec<T>,
  tells?: (value: T) => Told,
): UnitRow {
  const told = codec && tells && telling(codec, tells);
  const facts = told
    ? lenient(
        collected(TELLING_LIMIT, (payload, header) => ({
          config: read(new Cursor(payload)),
          ...told(payload, header),
        })),
      )
    : lenient(start((cursor) => ({ config: read(cursor) })));
  const configOf = (payload: Uint8Array) => read(new Cursor(payload));
  return { unit, versions: known, isCompared: true, facts, configOf, ...(codec ? { codec: codec as UnitCodec } : {}) };
}

/**
 * The bytes with which devices begin their final payload are all of their payload in pass 0 of a live save: their
 * configuration.
 */
export function firstBytes(count: number): NonNullable<UnitRow['livePass']> {
  return (payload) => (payload.length < count ? undefined : payload.subarray(0, count));
}
