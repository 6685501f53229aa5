import type { Widths } from '../binary/cursor.ts';
import type { Pass } from '../errors.ts';
import type { DirectoryEntry } from './layouts.ts';
import type { SegmentTable } from './segments.ts';

/** Version of the container. */
export type ContainerFormat = '1.1' | '1.2' | '2.0';

/** The release that wrote a file. */
export interface Release {
  /** First number. */
  major: number;
  /** Second number. */
  minor: number;
  /** Third number. */
  build: number;
  /** svn revision */
  revision: number;
}

/** What the header of a saved state says. */
export interface ContainerHeader {
  /** Version of the container. */
  format: ContainerFormat;
  /** Absent in V1.1, which stores none. */
  release?: Release;
  /** 32 or 64; absent in V1.1. */
  hostBits?: number;
  /** Bytes of addresses in units. */
  widths: Widths;
  /** V1.1 stores no widths: `gcPtr` is a guess that the pgm unit corrects (ssm-container.md 2.1). */
  widthsStored: boolean;
  /** V2.0: the bytes carry running CRCs. */
  streamCrc: boolean;
  /** V2.0: written by the live procedure. */
  live: boolean;
  /** V2.0: units registered with the machine, not those in the file. */
  registeredUnits?: number;
}

/** What stands before the payload of a unit. */
export interface UnitHeader {
  /** As the owner of the unit registered it, such as `cpum`. */
  name: string;
  /** Number among units of one name. */
  instance: number;
  /** Version of the payload. */
  version: number;
  /** The pass of the save that wrote the unit. */
  pass: Pass;
  /** File offset of the unit's header. */
  offset: number;
  /** Bytes of header and name. */
  headerSize: number;
  /** Where the header says that it stands, if elsewhere: bytes before it are missing, or were put in. */
  claimedOffset?: number;
}

/**
 * Reads a saved-state container front to back: unit by unit, each unit's payload as tables of segments.
 *
 * `nextUnit`, then `nextSegments` until it gives false, then `nextUnit` …; a payload that was left half-read is passed
 * over. Damage that leaves the reader in step goes to the `OnDamage` given at opening; any other is thrown, and then
 * only `resync` helps.
 */
export interface Container {
  /** What the file's header says. */
  readonly header: ContainerHeader;
  /** The table that `nextSegments` fills. @internal */
  readonly segments: SegmentTable;
  /** Bytes of the file passed so far. */
  readonly offset: number;
  /** The unit that is being read. */
  readonly unit: UnitHeader | undefined;
  /** The mark after the last unit was found: no unit is missing at the end. */
  readonly sawEnd: boolean;
  /** Bytes that the current unit takes in the file; final once `nextSegments` gave false. */
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
   * After `nextSegments` threw: goes to the next place in the same unit from which its payload can be read on; the
   * bytes between are lost. False where there is none.
   */
  rejoin(): Promise<boolean>;
  /** After an error was thrown: goes to the next unit header that can be trusted. False where there is none. */
  resync(): Promise<boolean>;
  /**
   * Gives the reader's memory back; nothing of it may be used afterwards. One that is not released costs speed, no
   * more.
   */
  release(): void;
}

/** How a container is read. */
export interface OpenOptions {
  /**
   * Leave the CRCs of the stream or file out: for a reading that only looks where things are, before one that checks.
   */
  skipCrc?: boolean;
}

/** What `label` needs to tell units apart in messages. */
export function unitLabel(unit: Pick<UnitHeader, 'name' | 'instance' | 'pass'>): string {
  const pass = unit.pass === 'final' ? '' : ` pass ${unit.pass}`;
  return `${unit.name}/${unit.instance}${pass}`;
}
