import { entryOf } from '../../../formats/entry-of.ts';
import type { PdmDevice } from '../../../formats/units/machine/pdm.ts';
import { DEVICES_OF_UNIT, IN_SETTINGS, UNITS_OF_THE_VMM } from '../machine-facts/device-names.ts';
import type { MachineFacts } from '../machine-facts/machine-facts.ts';
import { BUSES, compareBus } from './compare-bus.ts';
import type { Comparison } from './comparison.ts';
import { isOnPci } from './pci-places.ts';

/** Compares the devices of state and machine: the bus first, then each unit, then the list of devices. */
export function compareDevices(comparison: Comparison): void {
  const { saved, target } = comparison;
  if (!target.devices) return;
  const met = compareBus(comparison);
  for (const { name, instance } of unitsWithoutDevice(comparison)) {
    if (isOnPci(name) && met.has(name)) continue;
    const message = `The state has a unit ${name}/${instance}, for which ${target.name} has no device`;
    comparison.add(name, 'device-missing', 'VERR_SSM_INTEGRITY_UNIT_NOT_FOUND', message, instance);
  }
  if (saved.devices) {
    refuseTwice(comparison, saved.devices);
    compareLists(comparison, saved.devices, target.devices, met);
  } else comparison.notJudged.push('devices that only the machine has: unit pdm lists devices in an unknown layout');
}

/** Refuses a device that the state lists twice: the loader takes each device out of its own list when it meets it. */
function refuseTwice(comparison: Comparison, devices: readonly PdmDevice[]): void {
  const keys = devices.map(({ name, instance }) => `${name}/${instance}`);
  const twice = keys.find((key, i) => keys.indexOf(key) < i);
  if (twice === undefined) return;
  const message = `The state lists device ${twice} twice`;
  comparison.add('pdm', 'device-added', 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', message);
}

/** Compares the lists of devices. The state's list is in the last unit; in a live save, in the first. */
function compareLists(
  comparison: Comparison,
  saved: readonly PdmDevice[],
  own: readonly PdmDevice[],
  met: ReadonlySet<string>,
): void {
  const { state, target } = comparison;
  const listAt = state.units.findIndex(({ name }) => name === 'pdm');
  const isBefore = (name: string, instance?: number) =>
    state.units.findIndex(
      (unit) => unit.pass === 'final' && unit.name === name && (instance === undefined || unit.instance === instance),
    ) < listAt;
  const metBefore = BUSES.some((bus) => state.units.some(({ name }) => name === bus) && isBefore(bus))
    ? met
    : new Set<string>();
  const isIn = (list: readonly PdmDevice[], { name, instance }: PdmDevice) =>
    list.some((device) => device.name === name && device.instance === instance);
  for (const device of own) {
    if (
      isIn(saved, device) ||
      metBefore.has(device.name) ||
      isChipset(device.name) ||
      NOT_COMPARED.includes(device.name)
    )
      continue;
    comparison.mismatch(
      'pdm',
      'device-added',
      `${target.name} has a device ${device.name}/${device.instance}, which the state does not have`,
    );
  }
  for (const device of saved) {
    const { name, instance } = device;
    const isMet =
      metBefore.has(name) ||
      (state.units.some((unit) => unit.name === name && unit.instance === instance) && isBefore(name, instance));
    if (isIn(own, device) || isMet || !IN_SETTINGS.has(name)) continue;
    comparison.mismatch(
      'pdm',
      'device-missing',
      `The state has a device ${name}/${instance}, which ${target.name} does not have`,
    );
  }
}

/** Devices that the loader does not compare. */
const NOT_COMPARED: readonly string[] = ['tpm-ppi', 'AudioSniffer'];

/** Whether a device is part of a chipset: another chipset is found by its own unit. */
function isChipset(name: string): boolean {
  return name === 'pci' || name === 'ich9pci' || name === 'lpc';
}

function* unitsWithoutDevice({ state, target }: Comparison): Generator<{ name: string; instance: number }> {
  const seen = new Set<string>();
  for (const { name, instance } of state.units) {
    const key = `${name}/${instance}`;
    if (seen.has(key) || isUnitOf(target, { name, instance })) continue;
    seen.add(key);
    yield { name, instance };
  }
}

/** Whether a device of the machine loads such a unit. */
export function isUnitOf({ devices = [], usbDevices = [] }: MachineFacts, { name, instance }: PdmDevice): boolean {
  if (UNITS_OF_THE_VMM.includes(name)) return true;
  const owners = entryOf(DEVICES_OF_UNIT, name) ?? [name];
  return [...devices, ...usbDevices].some((own) => own.instance === instance && owners.includes(own.name));
}
