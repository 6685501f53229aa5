import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { ich9BusCodec, piix3BusCodec } from '../../../formats/units/chipset/pci-codec.ts';
import type { UnitCodec } from '../../../formats/units/codec/codec.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { hgcmCodec, mmCodec } from '../../../formats/units/machine/codecs.ts';
import { type PdmDevice, pdmCodec } from '../../../formats/units/machine/pdm.ts';
import { rowOf } from '../../../formats/units/table.ts';
import { isUnitOf } from '../check/compare-devices.ts';
import { compareMachines } from '../check/compare-machines.ts';
import { ACPI_ROM, HOST_SERVICES, IN_SETTINGS, VGA_ROM } from '../machine-facts/device-names.ts';
import { type MachineFacts, machineOf } from '../machine-facts/machine-facts.ts';
import type { CollectedState } from '../reading/collect-units.ts';
import { placesOf } from './devices.ts';
import { decoded, refused } from './merge.ts';
import { SETTINGS_PARTS } from './settings-parts.ts';

/**
 * Makes a donor, a state of the machine in the settings, out of the state to be adapted: removes devices that the
 * machine lacks, and sets the compared values. New devices get no unit, which the loader accepts for devices that it
 * does not find on the bus. @param host CPUID of the target's host; default: of the host that saved the state
 * @throws UnsupportedError `not-adaptable` if settings do not tell enough
 */
export function donorOfSettings(own: CollectedState, target: MachineFacts, host?: CpuidPart): CollectedState {
  const donor = copyOf(own, target.name);
  const machine = machineOf(own.state, own.name);
  takeOutDevices(donor, target);
  addDevices(donor, target);
  for (const { unit, codec, apply } of SETTINGS_PARTS)
    for (const label of donor.units.keys()) {
      const config = target.configs?.get(label);
      if (config && label.startsWith(`${unit}/`)) edit(donor, label, codec, (value) => apply(value, config));
    }
  setRam(donor, target.ramSize ?? machine.ramSize ?? 0);
  leaveOutServices(donor);
  if (donor.state.cpum && host)
    donor.state.cpum = {
      ...donor.state.cpum,
      cpuid: host.guest.length > 0 ? host : { ...host, guest: donor.state.cpum.cpuid?.guest ?? [] },
    };
  readConfigs(donor);
  refuseTheRest(donor, target);
  return donor;
}

function copyOf({ state, units }: CollectedState, name: string): CollectedState {
  return {
    name,
    state: { ...state, units: [...state.units], configs: new Map(state.configs) },
    units: new Map(units),
  };
}

/** Changes a unit, where its layout is known. */
function edit<T>(donor: CollectedState, label: string, codec: UnitCodec<T>, change: (value: T) => void): void {
  const unit = donor.units.get(label);
  const value = unit && decoded(unit, codec);
  if (!unit || value === undefined) return;
  change(value);
  donor.units.set(label, { ...unit, payload: codec.encode(value, unit.header.version).slice() });
}

const keyOf = ({ name, instance }: PdmDevice) => `${name}/${instance}`;

/** Removes devices that settings can switch off and that these settings lack. */
function takeOutDevices(donor: CollectedState, target: MachineFacts): void {
  const { state } = donor;
  const there = new Set(target.devices?.map(keyOf));
  const gone = new Set(
    (state.devices ?? []).filter((device) => IN_SETTINGS.has(device.name) && !there.has(keyOf(device))).map(keyOf),
  );
  const isGone = ({ device, instance }: { device: string; instance: number }) => gone.has(`${device}/${instance}`);
  const slots = new Set([...placesOf(state)].flatMap(([device, { devfn }]) => (gone.has(device) ? [devfn] : [])));
  const stays = ({ devfn }: { devfn: number }) => !slots.has(devfn);
  edit(donor, 'pci/0', piix3BusCodec, (bus) => {
    bus.devices = bus.devices.filter(stays);
  });
  edit(donor, 'ich9pci/0', ich9BusCodec, (bus) => {
    bus.devices = bus.devices.filter(stays);
  });
  if (state.pciSlots) state.pciSlots = state.pciSlots.filter(stays);
  for (const [label, { header }] of donor.units) if (!isUnitOf(target, header)) donor.units.delete(label);
  state.units = state.units.filter((unit) => isUnitOf(target, unit));
  setDevices(
    donor,
    (state.devices ?? []).filter((device) => !gone.has(keyOf(device)) && isUnitOf(target, device)),
  );
  const config = state.pgm?.config;
  if (!state.pgm || !config) return;
  const roms = config.roms.filter(
    ({ description }) =>
      !([VGA_ROM, ACPI_ROM] as string[]).includes(description) || target.roms?.includes(description) !== false,
  );
  const mmio2 = config.mmio2.filter((range) => !isGone(range));
  state.pgm = { ...state.pgm, config: { ...config, roms, mmio2 } };
}

/**
 * Devices that cannot be added without a unit: they pass on interrupts of other devices, firmware tables list them, or
 * the loader demands their unit.
 */
const NOT_WITHOUT_UNIT: readonly string[] = ['ioapic', 'acpi', 'vga', 'GIMDev', 'tpm'];

function addDevices(donor: CollectedState, target: MachineFacts): void {
  const devices = donor.state.devices ?? [];
  const known = new Set(devices.map(keyOf));
  const added = (target.devices ?? []).filter(
    (device) => IN_SETTINGS.has(device.name) && !known.has(keyOf(device)) && !NOT_WITHOUT_UNIT.includes(device.name),
  );
  setDevices(donor, [...devices, ...added]);
}

function setDevices(donor: CollectedState, devices: readonly PdmDevice[]): void {
  donor.state.devices = devices;
  edit(donor, 'pdm/1', pdmCodec, (pdm) => {
    pdm.devices = devices.map(({ name, instance }, number) => ({ number, name, instance }));
  });
}

function setRam(donor: CollectedState, ramSize: number): void {
  const { state } = donor;
  edit(donor, 'mm/1', mmCodec, (mm) => {
    mm.pages += (ramSize - mm.ramSize) / PAGE_SIZE;
    mm.ramSize = ramSize;
  });
  if (state.mm) state.mm = { ...state.mm, ramSize };
  if (!state.pgm) return;
  const { config } = state.pgm;
  state.pgm = { ...state.pgm, ramSize, ...(config?.ramSize === undefined ? {} : { config: { ...config, ramSize } }) };
}

function leaveOutServices(donor: CollectedState): void {
  edit(donor, 'HGCM/0', hgcmCodec, (hgcm) => {
    if (hgcm.services.length < hgcm.count || hgcm.services.some(({ clients }) => clients > 0)) return;
    hgcm.services = hgcm.services.filter(({ name }) => HOST_SERVICES.includes(name));
    hgcm.count = hgcm.services.length;
    donor.state.hostServices = hgcm.services.map(({ name }) => name);
  });
}

/** Reads the compared values again, from the changed units. */
function readConfigs({ state, units }: CollectedState): void {
  for (const [label, { header, payload }] of units) {
    const config = rowOf(header)?.configOf?.(payload);
    if (config) state.configs.set(label, config);
  }
}

/** Differences that the merge resolves: the CPU's features and registers. */
const MENDED_LATER = ['extended-state', 'cpuid'];

/** Refuses remaining differences, which settings alone cannot resolve. */
function refuseTheRest(donor: CollectedState, target: MachineFacts): void {
  const left = compareMachines(donor.state, machineOf(donor.state, donor.name), target, []).find(
    ({ finding }) => finding.severity === 'error' && !MENDED_LATER.includes(finding.code),
  );
  if (left)
    throw refused(
      `${left.finding.message}. Settings do not tell enough to mend that: take a state of the machine, saved ` +
        'right after power-on (--donor; savkit donor makes one)',
    );
}
