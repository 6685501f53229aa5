import type { ContainerFormat } from '../../../formats/ssm/container.ts';

/** A VirtualBox release as people name it: `7.2`, or exactly `7.2.22`. */
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
const SEEN = 'states of 7.2.22, and its answers to higher versions';

type Row = readonly [version: number, from: string, to: string];

/** `3.2` as a start means 3.2.0, as an end all of 3.2. */
function rows(unit: string, source: string, table: readonly Row[]): UnitVersion[] {
  return table.map(([version, from, to]) => ({ unit, version, from: numbersOf(from, 0), to: numbersOf(to, ANY), source }));
}

function numbersOf(text: string, missing: number): ReleaseNumbers {
  const [major, minor = missing, build = missing] = text.split('.').map(Number);
  return [major, minor, build];
}

/** What was seen of 7.2.22, by unit; devices first appeared in older releases, with versions that are not known here. */
const IN_72: Record<string, number> = {
  ...{ SSM: 1, HWACCM: 6, tm: 3, vmm: 4, trpm: 11, em: 5, GIM: 1, GCM: 1, pdmblkcache: 1, HGCM: 3, pdm: 5 },
  ...{ pci: 4, ich9pci: 4, pcbios: 0, efi: 3, NvramStore: 1, pckbd: 8, apic: 5, i8259: 1, ioapic: 3, hpet: 3, i8254: 4, mc146818: 4, '8237A': 2 },
  ...{ VMMDev: 20, vga: 34, ahci: 9, i82078: 3, piix3ide: 22, e1000: 6, 'virtio-net': 1, hda: 8, 'usb-xhci': 1, acpi: 8, serial: 7 },
  ...{ ConsoleData: 0x10002, DisplayData: 0x10005, DisplayScreenshot: 0x10001, SSMLiveControl: 1 },
};

/** Unit versions by release, as far as they are known. A release that no row of a unit names may write anything. */
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
    [21, '7.0.0', '7.0.9'],
    [22, '7.0.10', '7.0'],
    [24, '7.2', '7.2'],
  ]),
  ...rows('mm', 'MM.cpp of the releases', [
    [1, '1.0', '1.6'],
    [2, '2.0', '7.2'],
  ]),
  ...Object.entries(IN_72).flatMap(([unit, version]) => rows(unit, SEEN, [[version, '7.2', '7.2']])),
];

/** Which releases read a container. Source: ssm-container.md 1. */
export const CONTAINER_READERS: Record<ContainerFormat, ReleaseNumbers> = { '1.1': [1, 6, 0], '1.2': [2, 1, 0], '2.0': [3, 1, 0] };
/** Since this release a live save carries the saver's progress, in a unit that older ones don't know. */
export const SINCE_LIVE_CONTROL: ReleaseNumbers = [4, 0, 0];
/** Since this release the loader takes the page types of pgm 7 to 9 for others (pgm-unit.md 5.1). */
export const SINCE_PAGE_TYPE_TRAP: ReleaseNumbers = [4, 3, 0];
/** The first release of which it was seen that it refuses live passes of pgm 10 (pgm-unit.md 7.2). */
export const SEEN_TO_REFUSE_LIVE_10: ReleaseNumbers = [7, 2, 0];
/** Loaders of "mm" compare only the upper half of the version (tried with 7.2.22). */
export function isComparedVersion(unit: string, version: number): boolean {
  return unit !== 'mm' || version > 0xffff;
}

/** The version of a unit that a release writes, with its source; undefined where that is not known. */
export function versionWrittenBy(unit: string, release: ReleaseNumbers): UnitVersion | undefined {
  return UNIT_VERSIONS.find((row) => row.unit === unit && compare(row.from, release) <= 0 && compare(release, row.to) <= 0);
}

/** Below 0 where `a` is older. */
export function compare(a: ReleaseNumbers, b: ReleaseNumbers): number {
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

/** `7.2` stands for the last of its kind. @returns undefined for text that is no release */
export function parseRelease(text: string): ReleaseNumbers | undefined {
  return /^\d+\.\d+(\.\d+)?$/.test(text) ? numbersOf(text, ANY) : undefined;
}

export function releaseName([major, minor, build]: ReleaseNumbers): string {
  return Number.isFinite(build) ? `${major}.${minor}.${build}` : `${major}.${minor}`;
}
