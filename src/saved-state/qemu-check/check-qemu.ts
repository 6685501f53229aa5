import type { ByteSource } from '../../../formats/files/source.ts';
import { IGNORE_SHARED, MAPPED_RAM } from '../../../formats/qemu/constants.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { UNTOLD_END, verifyQemu } from '../qemu-verify/verify-qemu.ts';
import { type Finding, firstError } from '../reading/findings.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { compareState, pciIdOf, type QemuDifference } from './compare-state.ts';
import { untold, unusable } from './cpu-use.ts';
import { chipsetOf, type ExpectedMachine, expectedOf } from './expected-machine.ts';
import type { GuestSettings } from './guest-settings.ts';
import type { CpuModel, MachineType } from './qemu-facts.ts';

/** Options of a check of a state of QEMU: target and callbacks. */
export interface CheckQemuOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** A command line, or libvirt's settings. */
  settings?: GuestSettings;
  /** A state that the machine has saved. */
  other?: { name: string; state: QemuState };
  /** Version of the QEMU that loads it, `[10, 0]`. */
  release?: readonly number[];
  /** Machine types of that QEMU. */
  machineTypes?: readonly MachineType[];
  /** CPU of the target. */
  cpu?: CpuModel;
}

/** QEMU's first error. */
export interface QemuForecast {
  /** Message of the error, where savkit knows it. */
  qemuSays?: string;
  /** `name/instance` of the section; absent for errors before the first section. */
  unit?: string;
  /** One line for people. */
  message: string;
}

/** Forecast of loading a state into a machine of QEMU. */
export interface QemuCheckReport {
  /** Nothing was found for which QEMU would refuse the state. */
  loads: boolean;
  /** QEMU's first error, where it would refuse the state. */
  forecast?: QemuForecast;
  /** Errors in QEMU's order, then differences that QEMU does not notice. */
  findings: Finding[];
  /** Names of the targets. */
  against: string[];
  /** Parts that were not compared: unknown on both sides, or to savkit. */
  notJudged: string[];
  /** Assumptions about the target. */
  assumed: string[];
  /** The state is damaged, whether QEMU notices it or not. */
  damaged: boolean;
}

/**
 * Tells whether QEMU will load a state, and if not, its message. @throws EnvironmentError, InterruptedError, UsageError
 */
export async function checkQemu(source: ByteSource, options: CheckQemuOptions): Promise<QemuCheckReport> {
  const { settings, other, release, machineTypes, cpu, ...walk } = options;
  const { verdict, findings: damage, state } = await verifyQemu(source, walk);
  const isUntoldEnd = ({ severity, code }: Finding) => severity === 'error' && code === UNTOLD_END.code;
  const differences: QemuDifference[] = damage
    .filter((finding) => finding.severity === 'error' && !isUntoldEnd(finding))
    .map((finding) => ({ at: placeOf(finding, state), finding }));
  const report: QemuCheckReport = {
    loads: false,
    findings: [],
    against: againstOf(options),
    notJudged: damage.some(isUntoldEnd) ? ['whether the stream is cut off'] : [],
    assumed: state ? assumedOf(state) : [],
    damaged: verdict === 'damaged' || verdict === 'not-a-state',
  };
  const target = settings ? expectedOf(settings, typeOf(settings, options)) : other && machineOf(other);
  if (state && machineTypes) differences.push(...missingType(state, target, machineTypes));
  if (state && target) {
    const found = compareState(state, target, release);
    differences.push(...found.differences);
    report.notJudged.push(...new Set(found.notJudged));
  }
  if (state && cpu) {
    for (const finding of unusable(state.cpus, cpu)) differences.push({ at: Infinity, finding });
    report.notJudged.push(...untold(state.cpus, cpu));
  }
  differences.sort((a, b) => a.at - b.at);
  report.findings = differences.map(({ finding }) => finding);
  const first = firstError(report.findings.filter(({ code, qemuSays }) => qemuSays !== undefined || !SILENT.has(code)));
  report.loads = first === undefined;
  if (first) report.forecast = forecastOf(first);
  return report;
}

/** Codes of damage that QEMU loads without an error, as tried with 7.2.22 and 10.0.2. Source: qemu-stream.md 10. */
const SILENT = new Set([
  'missing-section',
  'twice',
  'pages-missing',
  'bad-registers',
  'bad-run-state',
  'bad-description',
  'bad-mapped-ram',
]);

function forecastOf({ message, qemuSays, place: { unit, instance } }: Finding): QemuForecast {
  return {
    qemuSays,
    unit: unit === undefined ? undefined : `${unit}/${instance ?? 0}`,
    message,
  };
}

function againstOf({ settings, other, release, machineTypes, cpu }: CheckQemuOptions): string[] {
  return [
    ...(settings ? [settings.name] : []),
    ...(other ? [other.name] : []),
    ...(release ? [`QEMU ${release.join('.')}`] : []),
    ...(machineTypes ? ["QEMU's machine types"] : []),
    ...(cpu ? [`CPU ${cpu.name}`] : []),
  ];
}

/** Capabilities that have to be set at the target before it loads the state; command lines do not show them. */
function assumedOf({ configuration, commands }: QemuState): string[] {
  const named = configuration.capabilities.filter((name) => name === MAPPED_RAM || name === IGNORE_SHARED);
  const advised = commands.some(({ number }) => number === POSTCOPY_ADVISE) ? ['postcopy-ram'] : [];
  return [...named, ...advised].map((name) => `capability ${name} is switched on before loading`);
}

const POSTCOPY_ADVISE = 3;

/** Offset at which QEMU meets a finding; without one, the offset of its section. */
function placeOf({ place }: Finding, state: QemuState | undefined): number {
  if (place.offset !== undefined) return place.offset;
  const unit = state?.units.find(
    ({ name, instance }) => name === place.unit && instance === (place.instance ?? instance),
  );
  return unit?.offset ?? 0;
}

/** Names without a version stand for the newest machine type of their chipset. */
function typeOf({ machineType }: GuestSettings, { machineTypes, release }: CheckQemuOptions): string | undefined {
  if (machineTypes) {
    const found = machineTypes.find(({ name, alias, isDefault }) =>
      machineType === undefined ? isDefault : name === machineType || alias === machineType,
    );
    return found?.name ?? machineType;
  }
  const written = machineType ?? 'pc';
  if (/\d/.test(written) && written !== 'q35') return written;
  const chipset = chipsetOf(written);
  if (!chipset || !release) return undefined;
  return `pc-${chipset.alias === 'pc' ? 'i440fx' : 'q35'}-${release.slice(0, 2).join('.')}`;
}

/** The finding for a machine type that this QEMU lacks: QEMU does not even start. */
function missingType(
  { configuration: { machine } }: QemuState,
  target: ExpectedMachine | undefined,
  machineTypes: readonly MachineType[],
): QemuDifference[] {
  const wanted = target?.machineType ?? machine;
  if (wanted === undefined || machineTypes.some(({ name, alias }) => name === wanted || alias === wanted)) return [];
  const message = `This QEMU has no machine type ${wanted}`;
  const qemuSays = 'unsupported machine type';
  return [{ at: -1, finding: { severity: 'error', code: 'other-machine', message, place: {}, qemuSays } }];
}

/** The machine that has saved a state. */
function machineOf({ name, state }: { name: string; state: QemuState }): ExpectedMachine {
  const { configuration, blocks, devices } = state;
  return {
    name,
    machineType: configuration.machine,
    blocks: blocks.map(({ name: block, size }) =>
      block.startsWith('/rom@') ? { name: block, fits: true } : { name: block, size },
    ),
    sections: devices.map((device) => {
      const pciId = pciIdOf(device);
      const { name: section, instance, version } = device;
      return { name: section, instance, version, pciId };
    }),
    unknown: [],
    unknownDevices: [],
    notJudged: [],
  };
}
