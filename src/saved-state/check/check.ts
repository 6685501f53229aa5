import type { DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { FOOTER_SIZE } from '../../../formats/ssm/v2-tail.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import type { Cpum } from '../../../formats/units/cpu/cpum.ts';
import { type MachineFacts, machineOf } from '../machine-facts/machine-facts.ts';
import type { Finding } from '../reading/findings.ts';
import { INCOMPLETE_UNIT } from '../reading/incomplete-unit.ts';
import type { SavedState, UnitSummary } from '../reading/state.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { verify } from '../verify/verify.ts';
import { compareHost, compareMachines } from './compare-machines.ts';
import { compareReleases } from './compare-releases.ts';
import type { Difference } from './difference.ts';
import { UnitLayouts } from './unit-layouts.ts';
import { type ReleaseNumbers, releaseName, releaseOf } from './unit-versions.ts';

/** Options of a check: targets and callbacks. */
export interface CheckOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** The machine that the state is to be loaded into. */
  machine?: MachineFacts;
  /** The VirtualBox that is to load it. Default: the one that wrote the machine's settings. */
  release?: ReleaseNumbers;
  /** CPUID of the host that is to load it; absent where it is not known. */
  host?: CpuidPart;
}

/** VirtualBox's first error. */
export interface LoadForecast {
  /** VirtualBox's name for it. */
  vboxCode: string;
  /** `name/instance`; absent for errors before the first unit. */
  unit?: string;
  /** One line for people. */
  message: string;
}

/** Forecast of loading a state into a machine. */
export interface CheckReport {
  /** Nothing was found that keeps the state from loading. */
  loads: boolean;
  /** The loader's first error, if the state will not load. */
  forecast?: LoadForecast;
  /** In the loader's order; a loader stops at the first error. */
  findings: Finding[];
  /** Names of the targets: machine, release. */
  against: string[];
  /** Parts that were not compared: unknown on both sides, or to savkit. VirtualBox may refuse the state for them. */
  notJudged: string[];
  /** Assumptions about the host that loads the state. */
  assumed: string[];
  /** The state is damaged. */
  damaged: boolean;
}

/**
 * Tells whether a state will load in a machine or in a release, and if not, with which error. @throws EnvironmentError,
 * InterruptedError
 */
export async function check(
  source: ByteSource,
  { machine: asked, release, host, ...options }: CheckOptions,
): Promise<CheckReport> {
  const machine = asked && host ? onHost(asked, host) : asked;
  const layouts = new UnitLayouts();
  const { verdict, findings: damage, state } = await verify(source, { ...options, observer: layouts });
  const target = release ?? (machine?.release && releaseOf(machine.release));
  const against = [
    ...(machine ? [machine.name] : []),
    ...(target ? [`VirtualBox ${releaseName(target)}`] : []),
    ...(host ? ["the host's CPU"] : []),
  ];
  const report: CheckReport = {
    loads: false,
    findings: [],
    against,
    notJudged: [],
    assumed: [],
    damaged: verdict === 'damaged',
  };
  let differences: Difference[] = damage
    .filter(({ severity }) => severity === 'error')
    .map((finding) => (state ? placeOf(state, finding) : { at: BEFORE_UNITS, finding }));
  if (state) {
    // A literal, since `push` would take too many arguments.
    differences = [
      ...differences,
      ...(machine
        ? compareMachines(state, machineOf(state, source.name), machine, report.notJudged)
        : host
          ? compareHost(state, machineOf(state, source.name), host)
          : []),
      ...(target ? compareReleases(state, target, report.notJudged) : []),
      ...missingUnits(state.units),
      ...incompleteUnits(state.units),
    ];
    if (verdict === 'whole') report.notJudged.push(...layouts.notJudged(state.cpum?.cpus.length));
  }
  if (state?.cpum) report.assumed.push(...assumedOf(state.cpum, machine?.cpuid ?? host));
  differences.sort((a, b) => a.at - b.at);
  report.findings = differences.map(({ finding }) => finding);
  const first = report.findings.find(({ severity }) => severity === 'error');
  report.loads = first === undefined;
  if (first) report.forecast = forecastOf(first);
  return report;
}

function forecastOf({ vboxCode, message, place: { unit, instance } }: Finding): LoadForecast {
  return {
    vboxCode: vboxCode ?? 'VERR_GENERAL_FAILURE',
    unit: unit === undefined ? undefined : `${unit}/${instance ?? 0}`,
    message,
  };
}

/** A machine on another host than the one that it was saved on. */
function onHost(machine: MachineFacts, { guest, rawBasic, rawExtended }: CpuidPart): MachineFacts {
  return { ...machine, cpuid: { guest: machine.cpuid?.guest ?? guest, rawBasic, rawExtended } };
}

/** Assumptions about facts that only the target's host, or the CPU profile of its machine, could tell. */
function assumedOf({ cpus }: Cpum, known: CpuidPart | undefined): string[] {
  const mask = cpus.reduce((all, { context }) => all | (context?.xStateMask ?? 0n), 0n);
  const parts = mask === 0n ? '' : `extended state 0x${mask.toString(16)}`;
  if (!known)
    return [`the host's CPU has all features that the guest has seen (CPUID${parts === '' ? '' : `, ${parts}`})`];
  return known.guest.length > 0 || parts === '' ? [] : [`the machine lets its guest have ${parts}`];
}

/**
 * Positions before the first unit in the loader's order: of header and footer, then of the API's search for its own
 * unit.
 */
const AT_FIRST = -2;
const BEFORE_UNITS = -1;

/** The position in the loader's order at which it meets damage, and its code. */
function placeOf({ units, directory, size }: SavedState, finding: Finding): Difference {
  const { place, code } = finding;
  if (place.unit !== undefined) {
    const at = units.findIndex(
      ({ name, instance, pass }) => name === place.unit && instance === place.instance && pass === place.pass,
    );
    return { at, finding };
  }
  // The CRC of all bytes, in the footer, is checked last.
  if (code === 'bad-stream-crc') return { at: units.length, finding };
  const offset = place.offset ?? 0;
  const isOfDirectory =
    code === 'bad-directory' ||
    (code === 'bad-crc' &&
      directory !== undefined &&
      offset > 0 &&
      offset < size - FOOTER_SIZE &&
      offset > (units.at(-1)?.offset ?? 0));
  if (isOfDirectory)
    return { at: BEFORE_UNITS, finding: { ...finding, vboxCode: 'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION' } };
  if (offset === 0 || code === 'bad-footer' || offset === size - FOOTER_SIZE) return { at: AT_FIRST, finding };
  // Damage in a header comes before the unit's contents, other damage between units.
  const at = units.findLastIndex((unit) => unit.offset <= offset);
  return { at: units[at]?.offset === offset ? at - 0.5 : at + 0.5, finding };
}

/** The unit in which salvage lists the parts that it could not keep; no VirtualBox knows it. */
function incompleteUnits(units: readonly UnitSummary[]): Difference[] {
  const at = units.findIndex(({ name }) => name === INCOMPLETE_UNIT.name);
  if (at < 0) return [];
  const message =
    'Parts of the machine are missing: the unit savkit/incomplete lists the parts that salvage could not keep';
  const { name: unit, instance } = INCOMPLETE_UNIT;
  return [
    {
      at,
      finding: {
        severity: 'error',
        code: 'incomplete',
        vboxCode: 'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND',
        message,
        place: { unit, instance },
      },
    },
  ];
}

/** Units that every state must have. */
function missingUnits(units: readonly UnitSummary[]): Difference[] {
  const differences: Difference[] = [];
  const add = (at: number, code: DifferenceCode, vboxCode: string, message: string, place: Finding['place'] = {}) =>
    differences.push({ at, finding: { severity: 'error', code, vboxCode, message, place } });
  const pgm = units.findIndex(isPgm);
  const cpum = units.findIndex(({ name }) => name === 'cpum');
  if (pgm >= 0 && (cpum < 0 || cpum > pgm)) {
    const what = cpum < 0 ? 'there is no unit cpum' : 'the unit cpum comes after pgm';
    add(pgm, 'no-cpum', 'VERR_WRONG_ORDER', `Memory cannot be loaded before the CPUs: ${what}`, {
      unit: 'pgm',
      instance: 1,
    });
  }
  // Tried with 7.2.22: the API reads this unit before it starts the machine.
  if (!units.some(({ name }) => name === 'ConsoleData')) {
    add(
      BEFORE_UNITS,
      'no-console-data',
      'VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION',
      'There is no unit ConsoleData, which is read before the machine starts',
    );
  }
  return differences;
}
