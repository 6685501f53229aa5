import { UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { type UnitHeader, unitLabel } from '../../../formats/ssm/container.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { mmCodec } from '../../../formats/units/machine/codecs.ts';
import type { ReleaseNumbers } from '../check/unit-versions.ts';
import { type MachineFacts, machineOf } from '../machine-facts/machine-facts.ts';
import { type CollectedState, collectUnits } from '../reading/collect-units.ts';
import { mergeBus } from './bus.ts';
import type { Change } from './change.ts';
import { mergeComparedParts } from './compared-parts.ts';
import { mergeCpuCount } from './cpu-count.ts';
import { mergeCpuFeatures } from './cpu-features.ts';
import { mergeDevices, refuseOtherBoards } from './devices.ts';
import { type MemoryPlan, planMemory } from './memory.ts';
import { Merge, refused } from './merge.ts';
import { fitRelease } from './release.ts';
import { donorOfSettings } from './settings-donor.ts';

/** A unit of the result. */
export interface PlannedUnit {
  header: Pick<UnitHeader, 'name' | 'instance' | 'version' | 'pass'>;
  /** New payload; absent for a unit that is copied from the state. */
  payload?: Uint8Array;
}

/** Target of an adaptation. */
export type AdaptTarget =
  /** A state of the machine, saved right after power-on. */
  | { donor: ByteSource }
  /** The machine of a settings file, and CPUID of the host where it is not the one that saved the state. */
  | { machine: MachineFacts; host?: CpuidPart }
  /** The machine that the state was saved from, with another release. */
  | 'unchanged';

/** Options of a plan. */
export interface PlanOptions {
  /** The VirtualBox that is to load the result; absent for one that reads the same versions of units. */
  release?: ReleaseNumbers | undefined;
  signal?: AbortSignal | undefined;
}

export interface AdaptPlan {
  own: CollectedState;
  donor: CollectedState;
  /** The machine that is to load the result. */
  machine: MachineFacts;
  /** CPUID of the target host; absent where the donor has it, or it is not known. */
  host?: CpuidPart;
  changes: readonly Change[];
  /** Units in the order of the result. */
  units: readonly PlannedUnit[];
  memory?: MemoryPlan;
}

/** Compares both states and decides on the changes. Nothing is written. @throws UnsupportedError `not-adaptable` */
export async function planAdaptation(
  source: ByteSource,
  target: AdaptTarget,
  { release, signal }: PlanOptions = {},
): Promise<AdaptPlan> {
  for (const each of target !== 'unchanged' && 'donor' in target ? [source, target.donor] : [source])
    if (!each.seekable)
      throw new UnsupportedError(
        'not-seekable',
        `Cannot adapt ${each.name}: it has to be read several times, so it must be a file`,
      );
  const walk = signal ? { signal } : {};
  const own = await collectPlain(source, walk);
  if (own.state.header.format !== '2.0')
    throw refused(
      `${source.name} is a V${own.state.header.format} container; convert it first (savkit convert --container 2.0)`,
    );
  const { donor, machine } = await machineFor(own, target, walk);
  const merge = new Merge(own, donor);
  mergeDevices(merge);
  mergeBus(merge);
  mergeCpuCount(merge);
  mergeCpuFeatures(merge);
  mergeComparedParts(merge);
  mergeSizes(merge);
  if (release) fitRelease(merge, release);
  const memory = await planMemory(merge, source, signal);
  return {
    own: merge.own,
    donor: merge.donor,
    machine,
    host: target !== 'unchanged' && 'machine' in target ? target.host : undefined,
    changes: merge.changes,
    units: unitsOf(merge),
    memory,
  };
}

/** @throws UnsupportedError `live-save` */
async function collectPlain(source: ByteSource, walk: { signal?: AbortSignal }): Promise<CollectedState> {
  const collected = await collectUnits(source, walk);
  if (collected.state.units.some(({ pass }) => pass !== 'final'))
    throw new UnsupportedError(
      'live-save',
      `Cannot adapt ${source.name}: it is a live save; make a plain state of it first (savkit convert --flatten)`,
    );
  return collected;
}

async function machineFor(own: CollectedState, target: AdaptTarget, walk: { signal?: AbortSignal }) {
  const before = machineOf(own.state, own.name);
  if (target === 'unchanged') return { donor: own, machine: before };
  if ('machine' in target) {
    refuseOtherBoards(before, target.machine);
    return { donor: donorOfSettings(own, target.machine, target.host), machine: target.machine };
  }
  const donor = await collectPlain(target.donor, walk);
  const machine = machineOf(donor.state, donor.name);
  refuseOtherBoards(before, machine);
  return { donor, machine };
}

/** Merges unit mm, which holds the size of RAM; changes of it are reported with unit pgm. */
function mergeSizes(merge: Merge): void {
  const own = merge.value('mm/1', mmCodec);
  const donor = merge.donorValue('mm/1', mmCodec);
  if (!own || !donor || own.ramSize === donor.ramSize) return;
  Object.assign(own, { ramSize: donor.ramSize, pages: donor.pages });
}

/** Units of the state in their order; a unit that only the donor has follows its predecessor there. */
function unitsOf(merge: Merge): PlannedUnit[] {
  const changed = merge.changedPayloads();
  const units: PlannedUnit[] = [];
  for (const header of merge.own.state.units) {
    const key = unitLabel(header);
    const origin = isPgm(header) ? 'own' : merge.originOf(key);
    if (origin === 'own') {
      const payload = changed.get(key);
      units.push({ header: { ...header, version: merge.versionOf(key, header.version) }, payload });
    } else if (origin === 'donor') units.push(donorsUnit(merge, key));
  }
  insertNew(merge, units);
  return units;
}

function insertNew(merge: Merge, units: PlannedUnit[]): void {
  let after = -1;
  for (const header of merge.donor.state.units) {
    const key = unitLabel(header);
    const at = units.findIndex((unit) => unitLabel(unit.header) === key);
    if (at >= 0) after = at;
    else if (!isPgm(header) && merge.originOf(key) === 'donor') units.splice(++after, 0, donorsUnit(merge, key));
  }
}

function donorsUnit({ donor }: Merge, key: string): PlannedUnit {
  const found = donor.units.get(key);
  if (!found) throw refused(`unit ${key} is not in ${donor.name}`);
  return found;
}
