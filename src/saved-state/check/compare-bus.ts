import type { DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import { hex } from '../../../formats/errors.ts';
import type { PciSlot } from '../../../formats/units/chipset/pci-bus.ts';
import { isNetworkCard, pciName, pciVendor, VMWARE } from '../../../formats/units/chipset/pci-ids.ts';
import type { PdmDevice } from '../../../formats/units/machine/pdm.ts';
import type { MachineFacts } from '../machine-facts/machine-facts.ts';
import { BRIDGE, furtherPlaces } from '../machine-facts/pci-bridges.ts';
import type { Comparison } from './comparison.ts';
import { pciPlace } from './pci-places.ts';

/** Units of PCI buses, one for each chipset; a machine knows only its own. */
export const BUSES: readonly string[] = ['pci', 'ich9pci'];

/** A slot of the bus, with its device. */
export interface BusSlot {
  devfn: number;
  vendorId: number;
  /** VirtualBox's name of the device, where it is known. */
  device?: string;
}

/**
 * Compares the devices of the PCI buses as the loaders of their units do: by slot and vendor, up to the state's last
 * slot. @returns names of devices that were reported here, so that later comparisons skip them
 */
export function compareBus(comparison: Comparison): Set<string> {
  const { state, target } = comparison;
  const met = new Set<string>();
  const bus = state.units.find(({ name }) => BUSES.includes(name))?.name;
  if (bus === undefined || !target.devices || !comparison.hasDevice(bus)) return met;
  const own = slotsOf(target);
  if (state.pciSlots) compareSlots(comparison, { name: bus, instance: 0 }, state.pciSlots, own.get(0) ?? [], met);
  else comparison.notJudged.push(`devices on the PCI bus: this version of unit ${bus} is not known`);
  for (const [instance, slots] of state.pciBridges)
    if (comparison.hasDevice(BRIDGE, instance))
      compareSlots(comparison, { name: BRIDGE, instance }, slots, own.get(instance + 1) ?? [], met);
  return met;
}

/** @param met gets the names of the devices that are reported */
function compareSlots(
  comparison: Comparison,
  unit: PdmDevice,
  inState: readonly PciSlot[],
  inTarget: readonly BusSlot[],
  met: Set<string>,
): void {
  const { target } = comparison;
  const saved = new Map(inState.map((slot) => [slot.devfn, slotOf(slot)]));
  const own = new Map(inTarget.map((slot) => [slot.devfn, slot]));
  const last = Math.max(...saved.keys());
  const report = (devfn: number, code: DifferenceCode, message: string, ...devices: (string | undefined)[]) => {
    comparison.mismatch(unit.name, code, `${message} (slot ${hex(devfn)})`, unit.instance);
    for (const device of devices) if (device !== undefined) met.add(device);
  };
  for (const devfn of [...new Set([...saved.keys(), ...own.keys()])].sort((a, b) => a - b)) {
    const was = saved.get(devfn);
    const is = own.get(devfn);
    if (was && !is && was.device !== undefined)
      report(
        devfn,
        'device-missing',
        `The state has a PCI device ${was.device}, which ${target.name} does not have`,
        was.device,
      );
    else if (is && !was && devfn <= last)
      report(
        devfn,
        'device-added',
        `${target.name} has a PCI device ${is.device}, which the state does not have`,
        is.device,
      );
    else if (was && is && was.vendorId !== is.vendorId)
      report(
        devfn,
        'device-differs',
        `The PCI device is ${nameOf(was)} in the state, ${nameOf(is)} in ${target.name}`,
        was.device,
        is.device,
      );
  }
}

function slotOf({ devfn, vendorId, deviceId }: { devfn: number; vendorId: number; deviceId: number }): BusSlot {
  const device = pciName(vendorId, deviceId);
  return { devfn, vendorId, device };
}

/** Slots by bus, without bridges of the chipset itself. */
function slotsOf({ pciSlots, pciBridges, devices = [], chipset = 'piix3', configs, vga }: MachineFacts) {
  const buses = new Map<number, BusSlot[]>();
  const known = (slots: readonly PciSlot[]) => slots.map(slotOf).filter(({ device }) => device !== undefined);
  if (pciSlots) {
    buses.set(0, known(pciSlots));
    for (const [instance, slots] of pciBridges ?? []) buses.set(instance + 1, known(slots));
    return buses;
  }
  const board = { chipset, hasIommu: devices.some(({ name }) => name.startsWith('iommu-')) };
  const count = new Map<string, number>();
  const add = (bus: number, devfn: number | undefined, name: string) => {
    const vendorId = name === 'vga' && vga === 'vmsvga' ? VMWARE : pciVendor(name);
    if (devfn === undefined || vendorId === undefined) return;
    buses.set(bus, [...(buses.get(bus) ?? []), { devfn, vendorId, device: name }]);
  };
  for (const { name, instance } of devices) {
    const nth = count.get(name) ?? 0;
    count.set(name, nth + 1);
    const at = isNetworkCard(name) ? instance : nth;
    add(0, pciPlace(board, name, at, configs?.get(`${name}/${instance}`)?.model), name);
  }
  if (chipset === 'ich9') for (const { bus, devfn, name } of furtherPlaces(devices)) add(bus, devfn, name);
  return buses;
}

function nameOf({ device, vendorId }: BusSlot): string {
  return `${device ?? 'unknown'} of vendor ${hex(vendorId)}`;
}
