import { entryOf } from '../../entry-of.ts';

/**
 * PCI ids of all models of VirtualBox's devices, by VirtualBox's name, as in machines of 7.2.22 (units-compared.md).
 */
const IDS: Readonly<Record<string, readonly { vendorId: number; deviceIds: readonly number[] }[]>> = {
  'iommu-amd': [{ vendorId: 0x1022, deviceIds: [0xc0de] }],
  'iommu-intel': [{ vendorId: 0x8086, deviceIds: [0xc0de] }],
  lpc: [{ vendorId: 0x8086, deviceIds: [0x27b9] }],
  piix3ide: [{ vendorId: 0x8086, deviceIds: [0x7010, 0x7111, 0x269e] }],
  vga: [
    { vendorId: 0x80ee, deviceIds: [0xbeef] },
    { vendorId: 0x15ad, deviceIds: [0x0405, 0x0406] },
  ],
  e1000: [{ vendorId: 0x8086, deviceIds: [0x100e, 0x1004, 0x100f, 0x150c] }],
  pcnet: [{ vendorId: 0x1022, deviceIds: [0x2000] }],
  'virtio-net': [{ vendorId: 0x1af4, deviceIds: [0x1000, 0x1041] }],
  VMMDev: [{ vendorId: 0x80ee, deviceIds: [0xcafe] }],
  hda: [{ vendorId: 0x8086, deviceIds: [0x2668] }],
  ichac97: [{ vendorId: 0x8086, deviceIds: [0x2415] }],
  'usb-ohci': [{ vendorId: 0x106b, deviceIds: [0x003f] }],
  acpi: [{ vendorId: 0x8086, deviceIds: [0x7113] }],
  'usb-ehci': [{ vendorId: 0x8086, deviceIds: [0x265c] }],
  'usb-xhci': [{ vendorId: 0x8086, deviceIds: [0x1e31, 0x1e26, 0x9c31] }],
  ahci: [{ vendorId: 0x8086, deviceIds: [0x2829] }],
  nvme: [{ vendorId: 0x80ee, deviceIds: [0x4e56] }],
  'virtio-scsi': [{ vendorId: 0x1af4, deviceIds: [0x1048, 0x1004] }],
  lsilogicscsi: [{ vendorId: 0x1000, deviceIds: [0x0030] }],
  buslogic: [{ vendorId: 0x104b, deviceIds: [0x1040] }],
  ich9pcibridge: [{ vendorId: 0x8086, deviceIds: [0x2448] }],
  lsilogicsas: [{ vendorId: 0x1000, deviceIds: [0x0054] }],
};

/** Slots of network cards of any kind, by instance: 8 × device. */
export const NETWORK_CARD_PLACES: readonly number[] = [0x18, 0x40, 0x48, 0x50, 0x80, 0x88, 0x90, 0x98];
/** The first network card of this model has another slot, as in VMware. */
export const SERVER_CARD = { model: '82545EM', deviceId: 0x100f, place: 0x88 } as const;

/** Device and function number of the second bridge of ICH9. */
const SECOND_BRIDGE = 0xc8;

/** VirtualBox's name of the device with these ids; undefined for bridges and others. */
export function pciName(vendorId: number, deviceId: number): string | undefined {
  return Object.entries(IDS).find(([, ids]) =>
    ids.some((own) => own.vendorId === vendorId && own.deviceIds.includes(deviceId)),
  )?.[0];
}

/**
 * Vendor of a device; for graphics, the vendor of VirtualBox's own adapters. Undefined for devices that are not on the
 * PCI bus.
 */
export function pciVendor(device: string): number | undefined {
  return entryOf(IDS, device)?.[0].vendorId;
}

/** Vendor of VMSVGA. */
export const VMWARE = 0x15ad;

export function isNetworkCard(device: string): boolean {
  return ['e1000', 'pcnet', 'virtio-net'].includes(device);
}

/** The instance of the device in a slot; all but network cards exist once. */
export function pciInstance(device: string, devfn: number, deviceId: number): number {
  if (device === 'ich9pcibridge') return devfn === SECOND_BRIDGE ? 1 : 0;
  if (!isNetworkCard(device) || (deviceId === SERVER_CARD.deviceId && devfn === SERVER_CARD.place)) return 0;
  return Math.max(0, NETWORK_CARD_PLACES.indexOf(devfn));
}
