import type { Chipset } from './target-machine.ts';

// Where devices sit on the first PCI bus, and their ids, as machines of 7.2.22 with both chipsets have them.

interface PciFacts {
  /** Device and function, 8 × device + function, by instance. */
  places: Record<Chipset, readonly number[]>;
  vendorId: number;
  /** Of all models. */
  deviceIds: readonly number[];
}

const NETWORK_CARDS = [0x18, 0x40, 0x48, 0x50, 0x80, 0x88, 0x90, 0x98];
const anywhere = (...places: number[]) => ({ piix3: places, ich9: places });
const row = (places: PciFacts['places'], vendorId: number, ...deviceIds: number[]): PciFacts => ({ places, vendorId, deviceIds });

/** By device name. */
const PCI: Readonly<Record<string, PciFacts>> = {
  'iommu-amd': row(anywhere(0x00), 0x1022, 0xc0de),
  'iommu-intel': row(anywhere(0x08), 0x8086, 0xc0de),
  piix3ide: row({ piix3: [0x09], ich9: [0xf9] }, 0x8086, 0x7010, 0x7111, 0x269e),
  vga: row(anywhere(0x10), 0x80ee, 0xbeef),
  vmsvga: row(anywhere(0x10), 0x15ad, 0x0405, 0x0406),
  e1000: row(anywhere(...NETWORK_CARDS), 0x8086, 0x100e, 0x1004, 0x100f, 0x150c),
  pcnet: row(anywhere(...NETWORK_CARDS), 0x1022, 0x2000),
  'virtio-net': row(anywhere(...NETWORK_CARDS), 0x1af4, 0x1000, 0x1041),
  VMMDev: row(anywhere(0x20), 0x80ee, 0xcafe),
  hda: row(anywhere(0x28), 0x8086, 0x2668),
  ichac97: row(anywhere(0x28), 0x8086, 0x2415),
  'usb-ohci': row({ piix3: [0x30], ich9: [0xfc] }, 0x106b, 0x003f),
  acpi: row(anywhere(0x38), 0x8086, 0x7113),
  'usb-ehci': row({ piix3: [0x58], ich9: [0xfd] }, 0x8086, 0x265c),
  'usb-xhci': row(anywhere(0x60), 0x8086, 0x1e31, 0x1e26, 0x9c31),
  ahci: row({ piix3: [0x68], ich9: [0xfa] }, 0x8086, 0x2829),
  nvme: row(anywhere(0x70), 0x80ee, 0x4e56),
  'virtio-scsi': row(anywhere(0x78), 0x1af4, 0x1048, 0x1004),
  lsilogicscsi: row(anywhere(0xa0), 0x1000, 0x0030),
  buslogic: row(anywhere(0xa8), 0x104b, 0x1040),
  lsilogicsas: row(anywhere(0xb0), 0x1000, 0x0054),
};
/** The first network card of this model sits elsewhere, as it does at VMware. */
const SERVER_CARD = { model: '82545EM', place: 0x88 };
/** A card for the ISA bus. */
const ISA_CARD = 'Am79C960';

/**
 * Where a device sits; undefined for one that is on another bus, or of which that is not known.
 * @param nth of its kind, from 0; of network cards the slot in the settings, whichever kind is in the others
 * @param model as settings call it
 */
export function pciPlace(chipset: Chipset, device: string, nth: number, model?: unknown): number | undefined {
  if (model === ISA_CARD) return undefined;
  if (model === SERVER_CARD.model && nth === 0) return SERVER_CARD.place;
  return PCI[device]?.places[chipset][nth];
}

/** Whether its instance is a slot of the settings. */
export function isNetworkCard(device: string): boolean {
  return PCI[device]?.places.piix3.length === NETWORK_CARDS.length;
}

export function pciVendor(device: string): number | undefined {
  return PCI[device]?.vendorId;
}

/** VirtualBox's name of the device with these ids; undefined for bridges and others. */
export function pciName(vendorId: number, deviceId: number): string | undefined {
  const found = Object.entries(PCI).find(([, facts]) => facts.vendorId === vendorId && facts.deviceIds.includes(deviceId));
  return found?.[0].replace('vmsvga', 'vga');
}

/** Whether such devices sit on the PCI bus. */
export function isOnPci(device: string): boolean {
  return device in PCI;
}
