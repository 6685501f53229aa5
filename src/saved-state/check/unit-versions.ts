import { entryOf } from '../../../formats/entry-of.ts';
import type { ContainerFormat, Release } from '../../../formats/ssm/container.ts';
import { DEVICE_UNIT_VERSIONS, OLDEST_READ_BY_72, type VersionRow } from './unit-version-table.ts';

/** Numbers of a VirtualBox release. */
export type ReleaseNumbers = readonly [major: number, minor: number, build: number];

/** Releases `[from, to]` that write a version of a unit. */
export interface UnitVersion {
  unit: string;
  version: number;
  from: ReleaseNumbers;
  to: ReleaseNumbers;
  source: string;
}

const ANY = Number.POSITIVE_INFINITY;

function rows(unit: string, source: string, table: readonly VersionRow[]): UnitVersion[] {
  return table.map(([version, from, to]) => ({
    unit,
    version,
    from: numbersOf(from, 0),
    to: numbersOf(to, ANY),
    source,
  }));
}

/**
 * Numbers of a release; `missing` stands for an absent third one: the start `3.2` is 3.2.0, the end `3.2` all of 3.2.
 */
function numbersOf(text: string, missing: number): ReleaseNumbers {
  const [major, minor = missing, build = missing] = text.split('.').map(Number);
  return [major, minor, build];
}

/** Known unit versions by release. Nothing is known of a unit in a release without a row. */
export const UNIT_VERSIONS: readonly UnitVersion[] = [
  ...rows('pgm', 'PGMSavedState.cpp of the releases', [
    [6, '1.6', '2.1'],
    [7, '2.2.0', '2.2.1'],
    [8, '2.2.2', '2.2'],
    [9, '3.0', '3.0'],
    [11, '3.1', '3.1'],
    [12, '3.2.0', '3.2.12'],
    [13, '3.2.13', '3.2'],
    [12, '4.0.0', '4.0.4'],
    [13, '4.0.5', '4.1.2'],
    [14, '4.1.3', '7.2'],
  ]),
  ...rows('cpum', 'CPUM.cpp of the releases', [
    [6, '1.6', '1.6'],
    [8, '2.0', '2.0'],
    [10, '2.1', '3.0'],
    [11, '3.1', '3.2.4'],
    [12, '3.2.5', '4.1'],
    [14, '4.2', '4.3'],
    [17, '5.0', '5.2'],
    [18, '6.0', '6.0'],
    [19, '6.1', '6.1'],
    [21, '7.0.0', '7.0.3'],
    [22, '7.0.4', '7.0'],
    [23, '7.1', '7.1'],
    [24, '7.2', '7.2'],
  ]),
  ...rows('mm', 'MM.cpp of the releases', [
    [1, '1.0', '1.6'],
    [2, '2.0', '7.2'],
  ]),
  ...Object.entries(DEVICE_UNIT_VERSIONS).flatMap(([unit, table]) => rows(unit, 'unit-versions.tsv', table)),
];

/** First releases that know a unit; older ones have no handler for it. Source: adapt's table of releases. */
const SINCE: Readonly<Record<string, ReleaseNumbers>> = { GCM: [7, 0, 0], 'tpm-ppi': [7, 1, 0] };

/** Whether a release refuses a state that has such a unit. */
export function isUnknownTo(unit: string, release: ReleaseNumbers): boolean {
  const since = entryOf(SINCE, unit);
  return since !== undefined && compare(release, since) < 0;
}

/** Releases since which a unit's versions are counted anew: their 1 is not the 1 of older releases. */
const COUNTED_ANEW: Readonly<Record<string, ReleaseNumbers>> = { 'virtio-net': [7, 0, 0] };

/** Whether the reader is older than the writer's way of counting a unit's versions. */
export function isCountedAnew(unit: string, writer: ReleaseNumbers | undefined, reader: ReleaseNumbers): boolean {
  const since = entryOf(COUNTED_ANEW, unit);
  return since !== undefined && writer !== undefined && compare(writer, since) >= 0 && compare(reader, since) < 0;
}

/** First release that reads each container. Source: ssm-container.md 1. */
export const CONTAINER_READERS: Record<ContainerFormat, ReleaseNumbers> = {
  '1.1': [1, 6, 0],
  '1.2': [2, 1, 0],
  '2.0': [3, 1, 0],
};
/** Since this release, live saves contain their progress in a unit that older releases don't know. */
export const SINCE_LIVE_CONTROL: ReleaseNumbers = [4, 0, 0];
/** Since this release there is neither recompiler nor raw mode, and their units are skipped. */
export const SINCE_STUBS: ReleaseNumbers = [6, 1, 0];
/** Since this release, the loader mistakes the page types of pgm 7 to 9 for others (pgm-unit.md 5.1). */
export const SINCE_PAGE_TYPE_TRAP: ReleaseNumbers = [4, 3, 0];
/** The first release that was seen to refuse live passes of pgm 10 (pgm-unit.md 7.2). */
export const SEEN_TO_REFUSE_LIVE_10: ReleaseNumbers = [7, 2, 0];
/** Loaders of "mm" compare only the upper half of the version (tried with 7.2.22). */
export function isComparedVersion(unit: string, version: number): boolean {
  return unit !== 'mm' || version > 0xffff;
}

/** Versions of a unit that a release reads, as far as known. */
export interface VersionsRead {
  /** Older versions are refused. */
  oldest: number;
  /** Versions up to this one are read for sure. */
  surely: number;
  /** Newer versions are refused for sure. */
  newest: number;
  source: string;
}

/** A release reads the version that it writes, and older ones. @returns undefined if nothing is known of the unit */
export function versionsReadBy(unit: string, release: ReleaseNumbers): VersionsRead | undefined {
  const table = UNIT_VERSIONS.filter((row) => row.unit === unit);
  if (table.length === 0) return undefined;
  const before = table.findLast(({ from }) => compare(from, release) <= 0);
  const after = table.find(({ from }) => compare(from, release) > 0);
  const { source } = before ?? table[0];
  const oldest = release[0] > 7 || (release[0] === 7 && release[1] >= 2) ? (entryOf(OLDEST_READ_BY_72, unit) ?? 0) : 0;
  // Units seldom change within a released series.
  const isWritten =
    before &&
    (compare(release, before.to) <= 0 ||
      (release[0] === before.to[0] && release[1] === before.to[1] && after?.from[1] !== release[1]));
  const extra = entryOf(MORE_READ, unit) ?? 0;
  if (isWritten)
    return { oldest, surely: Math.max(before.version, extra), newest: Math.max(before.version, extra), source };
  return { oldest, surely: before?.version ?? -1, newest: after ? Math.max(after.version, extra) : ANY, source };
}

/** Whether the series of a release is newer than all in the table. */
export function isNewerThanTable(release: ReleaseNumbers): boolean {
  return UNIT_VERSIONS.every(({ to }) => compare([to[0], to[1], 0], [release[0], release[1], 0]) < 0);
}

/**
 * Newest version by the old count that loaders read beside versions by the new count, as the network card's do since
 * 7.0.
 */
const MORE_READ: Readonly<Record<string, number>> = { 'virtio-net': 2 };

/** Below 0 if `a` is older. */
export function compare(a: ReleaseNumbers, b: ReleaseNumbers): number {
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

/** `7.2` stands for the last release of its series. @returns undefined for text that is no release */
export function parseRelease(text: string): ReleaseNumbers | undefined {
  return /^\d+\.\d+(\.\d+)?$/.test(text) ? numbersOf(text, ANY) : undefined;
}

/** Text of a unit's version: units of the API have a major and a minor number. */
export function versionText(version: number): string {
  return version > 0xffff ? `${version >>> 16}.${version & 0xffff}` : String(version);
}

/** Release from the header of a state. */
export function releaseOf({
  major,
  minor,
  build,
}: Pick<Release, 'major' | 'minor'> & Partial<Release>): ReleaseNumbers {
  return [major, minor, build ?? ANY];
}

export function releaseName([major, minor, build]: ReleaseNumbers): string {
  return Number.isFinite(build) ? `${major}.${minor}.${build}` : `${major}.${minor}`;
}
