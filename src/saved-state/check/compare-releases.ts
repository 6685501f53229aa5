import type { DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { pgmVersion } from '../../../formats/pgm/versions.ts';
import { LIVE_CONTROL_UNIT } from '../../../formats/units/machine/live-control.ts';
import { STUBS } from '../machine-facts/device-names.ts';
import type { Finding } from '../reading/findings.ts';
import { INCOMPLETE_UNIT } from '../reading/incomplete-unit.ts';
import type { SavedState, UnitSummary } from '../reading/state.ts';
import type { Difference } from './difference.ts';
import {
  CONTAINER_READERS,
  compare,
  isComparedVersion,
  isCountedAnew,
  isNewerThanTable,
  isUnknownTo,
  type ReleaseNumbers,
  releaseName,
  releaseOf,
  SEEN_TO_REFUSE_LIVE_10,
  SINCE_LIVE_CONTROL,
  SINCE_PAGE_TYPE_TRAP,
  SINCE_STUBS,
  versionsReadBy,
  versionText,
} from './unit-versions.ts';

/** Lists the parts of a state that a release cannot read. @param notJudged gets units whose versions are not known */
export function compareReleases(
  { header, units }: SavedState,
  target: ReleaseNumbers,
  notJudged: string[],
): Difference[] {
  const differences: Difference[] = [];
  const name = `VirtualBox ${releaseName(target)}`;
  if (compare(target, CONTAINER_READERS[header.format]) < 0) {
    const message =
      `${name} does not read containers of V${header.format}; ${releaseName(CONTAINER_READERS[header.format])} ` +
      'is the first that does';
    differences.push({
      at: -1,
      finding: {
        severity: 'error',
        code: 'container-too-new',
        vboxCode: 'VERR_SSM_INTEGRITY_VERSION',
        message,
        place: {},
      },
    });
  }
  const unknown = new Set<string>();
  for (const [at, unit] of units.entries()) {
    if (isCountedAnew(unit.name, header.release && releaseOf(header.release), target)) unknown.add(unit.name);
    const finding = findingOf(unit, target, name, unknown);
    if (finding) differences.push({ at, finding });
  }
  if (isNewerThanTable(target)) notJudged.push(`${name}, which is newer than all releases that savkit knows`);
  if (unknown.size > 0) notJudged.push(`versions that ${name} reads of: ${[...unknown].join(', ')}`);
  return differences;
}

function findingOf(unit: UnitSummary, target: ReleaseNumbers, name: string, unknown: Set<string>): Finding | undefined {
  const place = { unit: unit.name, instance: unit.instance, version: unit.version, pass: unit.pass };
  const refuse = (code: DifferenceCode, vboxCode: string, message: string): Finding => ({
    severity: 'error',
    code,
    vboxCode,
    message,
    place,
  });
  if (unit.name === LIVE_CONTROL_UNIT.name && compare(target, SINCE_LIVE_CONTROL) < 0) {
    return refuse(
      'unit-unknown',
      'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND',
      `${name} does not know the progress unit of live saves`,
    );
  }
  if (
    isPgm(unit) &&
    pgmVersion(unit.version)?.pages !== 'records' &&
    compare(target, SINCE_PAGE_TYPE_TRAP) >= 0 &&
    pgmVersion(unit.version)
  ) {
    return refuse(
      'page-types',
      'VERR_SSM_UNEXPECTED_DATA',
      `${name} takes the page types of pgm ${unit.version} for others; savkit convert --pgm 14 mends that`,
    );
  }
  // See pgm-unit.md 7.2.
  if (isPgm(unit) && unit.version === 10 && unit.pass === 0 && compare(target, SEEN_TO_REFUSE_LIVE_10) >= 0) {
    const message =
      `${name} wants the RAM configuration in pass 0, which pgm 10 does not have; savkit convert --flatten, or ` +
      '--pgm 11, mends that';
    return refuse('live-pgm-10', 'VERR_SSM_LOAD_CONFIG_MISMATCH', message);
  }
  // Whatever the release, see check.ts.
  if (unit.name === INCOMPLETE_UNIT.name) return undefined;
  if (STUBS.includes(unit.name) && compare(target, SINCE_STUBS) >= 0) return undefined;
  if (isUnknownTo(unit.name, target))
    return refuse('unit-unknown', 'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND', `${name} does not know unit ${unit.name}`);
  const known = versionsReadBy(unit.name, target);
  const { version } = unit;
  if (!known || (version > known.surely && version <= known.newest)) {
    unknown.add(unit.name);
    return undefined;
  }
  if (!isComparedVersion(unit.name, version) || (version <= known.newest && version >= known.oldest)) return undefined;
  const [bound, code]: [string, DifferenceCode] =
    version < known.oldest
      ? [`from ${versionText(known.oldest)} on`, 'unit-too-old']
      : [`up to ${versionText(known.newest)}`, 'unit-too-new'];
  const message = `Unit ${unit.name} has version ${versionText(version)}; ${name} reads it ${bound} (${known.source})`;
  return refuse(code, 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION', message);
}
