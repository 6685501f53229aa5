import { Cursor, OutOfBytes } from '../../binary/cursor.ts';
import { SavkitError, unlessBad } from '../../errors.ts';
import type { UnitHeader } from '../../ssm/container.ts';
import type { PayloadReader } from '../../ssm/payload.ts';
import type { UnitCodec } from './codec.ts';
import type { DeviceConfig } from './device-config.ts';

/** Reads facts from a unit's payload. @throws errors of the payload's reader */
export type Reading<Facts extends object> = (payload: PayloadReader, unit: UnitHeader) => Promise<Facts>;

/** Configuration that a loader compares with the machine's; undefined if its layout is not known. */
export interface ConfigFact {
  config: DeviceConfig | undefined;
}

/** Facts about a device for people. */
export interface Told {
  /** Model of a network card, as named in settings. */
  model?: string;
  /** MAC address, `08:00:27:…`. */
  mac?: string;
  /** Disks and drives, with their places. */
  media?: readonly { place: string; what: string }[];
  /** Pending interrupts and exceptions of a CPU. */
  pending?: readonly string[];
  /** Connections of guest additions to services of the host. */
  connections?: number;
  /** Time for which the machine has run, in nanoseconds. */
  ranNs?: bigint;
}

/** All knowledge about one unit in some of its versions. The table of all rows is in ../table.ts. */
export interface UnitRow {
  /** Name of the unit. */
  unit: string;
  /** Instance of the unit; absent: any. */
  instance?: number;
  /** Versions of the unit; absent: any. */
  versions?: readonly number[];
  /** A live save has the unit in several passes, and all are read; else only the final one. */
  everyPass?: boolean;
  /** The loader compares a part of the unit with the machine's configuration; known even if the layout is not. */
  isCompared?: boolean;
  /** Reads the unit's facts about the state. */
  facts?: Reading<object>;
  /** Configuration that the loader compares, from a whole payload. @throws OutOfBytes */
  configOf?: (payload: Uint8Array) => DeviceConfig;
  /** Reads and writes the whole payload of the final pass. */
  codec?: UnitCodec;
  /**
   * The payload in pass 0 of a live save, from that of the final pass: a piece of it, or a copy. Undefined if it cannot
   * be derived; VirtualBox does without it, as in the second live save of a process.
   */
  livePass?: (payload: Uint8Array, version: number) => Uint8Array | undefined;
}

/** Versions from the first to the last. */
export function versions(first: number, last = first): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Reads a unit that is exactly one structure; a rest is damage. */
export function whole<Facts extends object>(read: (cursor: Cursor, unit: UnitHeader) => Facts): Reading<Facts> {
  return async (payload, unit) => {
    const facts = await payload.parse((cursor) => read(cursor, unit));
    await payload.expectEnd();
    return facts;
  };
}

/** Reads the structure at the start of a unit; a shorter unit is damaged. */
export function start<Facts extends object>(read: (cursor: Cursor, unit: UnitHeader) => Facts): Reading<Facts> {
  return (payload, unit) => payload.parse((cursor) => read(cursor, unit));
}

/** Reads a unit whose payload is collected first. @param limit in bytes; a longer payload is not supported */
export function collected<Facts extends object>(
  limit: number,
  read: (bytes: Uint8Array, unit: UnitHeader) => Facts,
): Reading<Facts> {
  return async (payload, unit) => read(await payload.rest(limit), unit);
}

/** A reading that gives no facts of an unexpected unit, in place of an error; the loader will judge the unit. */
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

/** Facts for people from a whole payload; none if it does not have the layout of its version. */
export function telling<T>(
  codec: UnitCodec<T>,
  tells: (value: T) => Told,
): (payload: Uint8Array, unit: { version: number }) => { told?: Told } {
  return (payload, { version }) => {
    const told = unlessBad(() => tells(codec.decode(payload, version)));
    return told ? { told } : {};
  };
}

/** Limit for units with facts for people, which are smaller. */
const TELLING_LIMIT = 4 * 1024 * 1024;

/** Reads a unit that only has facts for people. */
export function toldFacts<T>(codec: UnitCodec<T>, tells: (value: T) => Told): Reading<{ told?: Told }> {
  return lenient(collected(TELLING_LIMIT, telling(codec, tells)));
}

/** Row of a device whose loader compares the beginning of its unit. @param tells further facts for people */
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
 * Payload of devices that save only their configuration in pass 0 of a live save: the first bytes of their final
 * payload.
 */
export function firstBytes(count: number): NonNullable<UnitRow['livePass']> {
  return (payload) => (payload.length < count ? undefined : payload.subarray(0, count));
}
