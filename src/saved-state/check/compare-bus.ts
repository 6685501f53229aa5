import type { DifferenceCode } from '../../../formats/codes/difference-codes.ts';
import { hex } from '../../../formats/errors.ts';
import { isNetworkCard, pciName, pciVendor, VMWARE } from '../../../formats/units/chipset/pci-ids.ts';
import type { MachineFacts } from '../machine-facts/machine-facts.ts';
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
 * Compares the devices of the first PCI bus as the loader of its unit does: by slot and vendor, up to the state's last
 * slot. @returns names of devices that were reported here, so that later comparisons skip them
 */
export function compareBus(comparison: Comparison): Set<string> {
  const { state, target } = comparison;
  const met = new Set<string>();
  const bus = state.units.find(({ name }) => BUSES.includes(name))?.name;
  if (bus === undefined || !target.devices || !comparison.hasDevice(bus)) return met;
  if (!state.pciSlots) {
    comparison.notJudged.push(`devices on the PCI bus: this version of unit ${bus} is not known`);
    return met;
  }
  const saved = new Map(state.pciSlots.map((slot) => [slot.devfn, slotOf(slot)]));
  const own = new Map(slotsOf(target).map((slot) => [slot.devfn, slot]));
  const last = Math.max(...saved.keys());
  const report = (devfn: number, code: DifferenceCode, message: string, ...devices: (string | undefined)[]) => {
    comparison.mismatch(bus, code, `${message} (slot ${hex(devfn)})`);
    for (const device of devices) if (device !== undefined) met.add(device);
  };
  for (const devfn of [...new Set([...saved.keys(), ...own.keys()])].sort((a, b) => a - b)) {
    const was = saved.get(devfn);
    const is = own.get(devfn);
    if (was && !is && was.device !== undefined)
      report(
        devfn,
        'device-missing',
        `The state has a PCI device ${was.device}, which ${target.name} has not`,
        was.device,
      );
    else if (is && !was && devfn <= last)
      report(devfn, 'device-added', `${target.name} has a PCI device ${is.device}, which the state has not`, is.device);
    else if (was && is && was.vendorId !== is.vendorId)
      report(
        devfn,
        'device-differs',
        `The PCI device is ${nameOf(was)} in the state, ${nameOf(is)} in ${target.name}`,
        was.device,
        is.device,
      );
  }
  return met;
}

function slotOf({ devfn, vendorId, deviceId }: { devfn: number; vendorId: number; deviceId: number }): BusSlot {
  const device = pciName(vendorId, deviceId);
  return { devfn, vendorId, device };
}

/** Bridges, which come with the chipset, are left out. */
function slotsOf({ pciSlots, devices = [], chipset = 'piix3', configs, vga }: MachineFacts): BusSlot[] {
  if (pciSlots) return pciSlots.map(slotOf).filter(({ device }) => device !== undefined);
  const board = { chipset, hasIommu: devices.some(({ name }) => name.startsWith('iommu-')) };
  const count = new Map<string, number>();
  return devices.flatMap(({ name, instance }) => {
    const nth = count.get(name) ?? 0;
    count.set(name, nth + 1);
    const devfn = pciPlace(
      board,
      name,
      isNetworkCard(name) ? instance : nth,
      configs?.get(`${name}/${instance}`)?.model,
    );
    const vendorId = name === 'vga' && vga === 'vmsvga' ? VMWARE : pciVendor(name);
    return devfn === undefined || vendorId === undefined ? [] : [{ devfn, vendorId, device: name }];
  });
}

function nameOf({ device, vendorId }: BusSlot): string {
  return `${device ?? 'unknown'} of vendor ${hex(vendorId)}`;
}
