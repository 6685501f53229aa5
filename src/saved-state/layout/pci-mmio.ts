import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { isNetworkCard, pciInstance, pciName } from '../../../formats/units/chipset/pci-ids.ts';
import type { SavedState } from '../reading/state.ts';

/**
 * Names of device registers in guest-physical memory, by device and region, as `info phys` of VirtualBox 7.2.22 prints
 * them.
 */
const NAMES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  e1000: { 0: 'E1000' },
  pcnet: { 1: 'PCnet' },
  hda: { 0: 'HDA' },
  'usb-ohci': { 0: 'USB OHCI' },
  'usb-ehci': { 0: 'USB EHCI' },
  'usb-xhci': { 0: 'USB xHCI' },
  ahci: { 5: 'AHCI' },
  nvme: { 0: 'NVMe' },
  'virtio-scsi': { 2: 'VIRTIOSCSI0 (modern)' },
  lsilogicscsi: { 1: 'LsiLogic', 2: 'LsiLogicDiag' },
  lsilogicsas: { 1: 'LsiLogicSas', 2: 'LsiLogicSasDiag' },
  buslogic: { 1: 'BusLogic MMIO' },
};
/** Addresses have 52 bits at most. */
const ADDRESS_END = 2 ** 52;
/** Devices whose regions are all device memory (MMIO2). */
const WITHOUT_REGISTERS = ['vga', 'VMMDev'];

interface Stretch {
  start: GuestPhys;
  end: GuestPhys;
}

/**
 * Registers of PCI devices that the guest had mapped; none for versions of the bus that do not save region sizes.
 * @param taken ranges that the result must not overlap
 */
export function pciMmio(state: SavedState, taken: readonly Stretch[]): (Stretch & { name: string })[] {
  const found: (Stretch & { name: string })[] = [];
  for (const { devfn, vendorId, deviceId, memoryEnabled, regions, sizes } of state.pciSlots ?? []) {
    const device = pciName(vendorId, deviceId);
    if (device === undefined || !memoryEnabled || !sizes || WITHOUT_REGISTERS.includes(device)) continue;
    const instance = pciInstance(device, devfn, deviceId);
    for (const [region, start] of regions.entries()) {
      const end = (start ?? 0) + Math.ceil(sizes[region] / PAGE_SIZE) * PAGE_SIZE;
      if (start === undefined || start % PAGE_SIZE !== 0 || end === start || end > ADDRESS_END) continue;
      // Registers that overlap memory or earlier registers are left out.
      const isFree = [...taken, ...found].every((other) => end <= other.start || start >= other.end);
      if (isFree) found.push({ start, end, name: nameOf(device, instance, region) });
    }
  }
  return found;
}

function nameOf(device: string, instance: number, region: number): string {
  const number = isNetworkCard(device) && instance > 0 ? ` [${instance}]` : '';
  if (device === 'virtio-net') return `virtio-net #${instance} (modern)${number}`;
  return `${NAMES[device]?.[region] ?? `${device}, region ${region}`}${number}`;
}

/** Address at which a region of a PCI device was mapped; undefined if it was not, or the state does not tell. */
export function pciRegion(state: SavedState, device: string, instance: number, region: number): GuestPhys | undefined {
  const slot = state.pciSlots?.find(
    ({ vendorId, deviceId, devfn }) =>
      pciName(vendorId, deviceId) === device && pciInstance(device, devfn, deviceId) === instance,
  );
  return slot?.memoryEnabled ? slot.regions[region] : undefined;
}
