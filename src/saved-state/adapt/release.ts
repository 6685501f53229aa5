import { piix3BusCodec } from '../../../formats/units/chipset/pci-codec.ts';
import type { UnitCodec } from '../../../formats/units/codec/codec.ts';
import { cpumCodec } from '../../../formats/units/cpu/cpum-codec.ts';
import { trpmCodec } from '../../../formats/units/cpu/trpm.ts';
import { consoleDataCodec, hgcmCodec } from '../../../formats/units/machine/codecs.ts';
import { pdmCodec } from '../../../formats/units/machine/pdm.ts';
import { vmmDevCodec } from '../../../formats/units/machine/vmm-dev.ts';
import {
  isCountedAnew,
  isNewerThanTable,
  isUnknownTo,
  type ReleaseNumbers,
  releaseName,
  releaseOf,
  versionsReadBy,
  versionText,
} from '../check/unit-versions.ts';
import type { CollectedState } from '../reading/collect-units.ts';
import { type Merge, refused } from './merge.ts';

/** A unit that can be written in older versions. */
interface Rewritable<T> {
  unit: string;
  codec: UnitCodec<T>;
  /** The oldest version that can be written. The real 7.2.22 reads all of them. */
  oldest: number;
  /** Reason why an older version cannot hold a value; undefined if it can. */
  obstacle?(value: T, version: number): string | undefined;
}

function rewritable<T>(
  unit: string,
  codec: UnitCodec<T>,
  oldest: number,
  obstacle?: Rewritable<T>['obstacle'],
): Rewritable<unknown> {
  return { unit, codec, oldest, obstacle } as Rewritable<unknown>;
}

const FIRST_WITH_REQUESTOR = 3;
const FIRST_WITH_MMIO = 20;

const REWRITABLE: readonly Rewritable<unknown>[] = [
  rewritable('cpum', cpumCodec, 17),
  rewritable('trpm', trpmCodec, 10),
  rewritable('pci', piix3BusCodec, 3),
  rewritable('VMMDev', vmmDevCodec, 17, ({ mmioRequests }, version) =>
    mmioRequests && version < FIRST_WITH_MMIO
      ? 'the guest talks to the device by memory, which that release does not know'
      : undefined,
  ),
  rewritable('HGCM', hgcmCodec, 2, ({ services, count }, version) =>
    version < FIRST_WITH_REQUESTOR && (services.length < count || services.some(({ clients }) => clients > 0))
      ? 'guest additions are connected to services of the host, which keep their connections in another form there'
      : undefined,
  ),
  rewritable('ConsoleData', consoleDataCodec, 0x10001),
];

/**
 * Rewrites units in versions that a release reads, and drops units that it does not know. A unit that cannot be
 * rewritten is taken from the donor, if it is there. @throws UnsupportedError `not-adaptable`
 */
export function fitRelease(merge: Merge, release: ReleaseNumbers): void {
  if (isNewerThanTable(release))
    throw refused(`VirtualBox ${releaseName(release)} is newer than all releases that savkit knows`);
  for (const [label, { header }] of merge.own.units) {
    if (merge.originOf(label) !== 'own') continue;
    if (isUnknownTo(header.name, release)) leaveOut(merge, label, header.name, release);
    else fitUnit(merge, label, header, release);
  }
}

function leaveOut(merge: Merge, label: string, name: string, release: ReleaseNumbers): void {
  merge.drop(label);
  merge.note('kept', label, `VirtualBox ${releaseName(release)} does not know the unit: it is left out`);
  const list = merge.value('pdm/1', pdmCodec);
  if (list)
    list.devices = list.devices
      .filter((device) => device.name !== name)
      .map((device, number) => ({ ...device, number }));
}

function fitUnit(
  merge: Merge,
  label: string,
  { name, version }: { name: string; version: number },
  release: ReleaseNumbers,
): void {
  const read = versionsReadBy(name, release);
  const isOther = isOtherNumbering(name, merge.own, release);
  if (!read || read.surely < 0 || (version <= read.surely && !isOther)) return;
  const to = read.surely;
  const why = obstacleTo(merge, label, name, to);
  const reader = `VirtualBox ${releaseName(release)}`;
  const change = `version ${versionText(version)} becomes ${versionText(to)}, which ${reader} reads`;
  if (why === undefined) {
    merge.rewrite(label, to);
    merge.note('kept', label, change);
    return;
  }
  const there = merge.donor.units.get(label);
  if (there === undefined || there.header.version > to || isOtherNumbering(name, merge.donor, release))
    throw refused(
      `unit ${label} has version ${versionText(version)}, ${reader} reads up to ${versionText(to)}, and ${why}. A ` +
        `state of the machine that ${reader} has saved right after power-on has such a unit (--donor): the device ` +
        'is then as after power-on',
    );
  merge.takeDonors(label);
  merge.note('reset', label, `${change}, but ${why}: it is as after power-on, and its driver has to set it up anew`);
}

function isOtherNumbering(unit: string, { state }: CollectedState, release: ReleaseNumbers): boolean {
  const { release: writer } = state.header;
  return isCountedAnew(unit, writer && releaseOf(writer), release);
}

function obstacleTo(merge: Merge, label: string, name: string, to: number): string | undefined {
  const known = REWRITABLE.find(({ unit }) => unit === name);
  const value = known && merge.value(label, known.codec);
  if (!known || value === undefined || to < known.oldest) return 'savkit does not know the layout of that version';
  return known.obstacle?.(value, to);
}
