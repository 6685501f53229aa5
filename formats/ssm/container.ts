import type { Widths } from '../binary/cursor.ts';
import type { Pass } from '../errors.ts';
import type { DirectoryEntry } from './layouts.ts';
import type { SegmentTable } from './segments.ts';

export const CONTAINER_FORMATS = ['2.0', '1.2', '1.1'] as const;
/** Version of the container. */
export type ContainerFormat = (typeof CONTAINER_FORMATS)[number];

/** The release that wrote a file. */
export interface Release {
  /** First number. */
  major: number;
  /** Second number. */
  minor: number;
  /** Third number. */
  build: number;
  /** Subversion revision. */
  revision: number;
}

/** Facts from the header of a saved state. */
export interface ContainerHeader {
  /** Version of the container. */
  format: ContainerFormat;
  /** Absent in V1.1, which stores none. */
  release?: Release;
  /** 32 or 64; absent in V1.1. */
  hostBits?: number;
  /** Sizes of addresses in units, in bytes. */
  widths: Widths;
  /** V1.1 stores no widths: `gcPtr` is a guess that the pgm unit corrects (ssm-container.md 2.1). */
  widthsStored: boolean;
  /** V2.0: the bytes carry running CRCs. */
  streamCrc: boolean;
  /** V2.0: written by the live procedure. */
  live: boolean;
  /** V2.0: number of units registered with the machine, not of those in the file. */
  registeredUnits?: number;
}

/** Header of a unit. */
export interface UnitHeader {
  /** Name under which the unit was registered, such as `cpum`. */
  name: string;
  /** Instance: number among units of one name. */
  instance: number;
  /** Version of the payload. */
  version: number;
  /** The pass of the save that wrote the unit. */
  pass: Pass;
  /** File offset of the unit's header. */
  offset: number;
  /** Size of header and name in bytes. */
  headerSize: number;
  /** Offset in the header, if it differs: bytes before the header are missing, or were inserted. */
  claimedOffset?: number;
}

/**
 * Reads a saved-state container front to back: unit by unit, each unit's payload as tables of segments.
 *
 * The order of calls: `nextUnit`, then `nextSegments` until it gives false, then `nextUnit` …; the rest of a half-read
 * payload is skipped. Damage after which reading can go on goes to the `OnDamage` given at opening; other damage is
 * thrown, and then only `rejoin` or `resync` helps.
 */
export interface Container {
  /** The file's header. */
  readonly header: ContainerHeader;
  /** The table that `nextSegments` fills. @internal */
  readonly segments: SegmentTable;
  /** Bytes of the file passed so far. */
  readonly offset: number;
  /** The current unit. */
  readonly unit: UnitHeader | undefined;
  /** The mark after the last unit was found: no unit is missing at the end. */
  readonly sawEnd: boolean;
  /** Size of the current unit in the file, in bytes; final once `nextSegments` gave false. */
  readonly unitSize: number;
  /** The directory (V2.0), after `nextUnit` gave undefined. */
  readonly directory: readonly DirectoryEntry[] | undefined;
  /** The next unit, or undefined after the last: then everything after the units has been checked, too. */
  nextUnit(): Promise<UnitHeader | undefined>;
  /**
   * Fills `segments` with the next pieces of the unit's payload; false at its end. Invalidates earlier positions.
   * @internal
   */
  nextSegments(): Promise<boolean>;
  /**
   * After an error of `nextSegments`: goes to the next place in the same unit from which its payload can be read on;
   * the bytes between are lost. @returns false if there is none
   */
  rejoin(): Promise<boolean>;
  /** After an error: goes to the next trustworthy unit header. @returns false if there is none */
  resync(): Promise<boolean>;
  /** Gives the reader's memory back; nothing of it may be used afterwards. A missing call costs speed only. */
  release(): void;
}

/** Options of reading a container. */
export interface OpenOptions {
  /** Do not check the CRCs of the stream or file, for a first reading before one that checks. */
  skipCrc?: boolean;
}

/** Name of a unit in messages: `pgm/1`, `cpum/1 pass 0`. */
export function unitLabel(unit: Pick<UnitHeader, 'name' | 'instance' | 'pass'>): string {
  const pass = unit.pass === 'final' ? '' : ` pass ${unit.pass}`;
  return `${unit.name}/${unit.instance}${pass}`;
}
