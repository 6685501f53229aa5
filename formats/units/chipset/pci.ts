import { TWO_32 } from '../../sizes.ts';
/** Units "pci" (PIIX3) and "ich9pci", instance 0: the configuration space of every PCI device. */
export const PCI_UNITS = ['pci', 'ich9pci'] as const;
export const PCI_LIMIT = 4 * 1024 * 1024;

/** A PCI device, as described by its configuration space. */
export interface PciDevice {
  /** Number of the maker in the configuration space, 16 bits. */
  vendorId: number;
  /** Number of the model in the configuration space, 16 bits. */
  deviceId: number;
  /** Memory decoding is on, so that the regions are mapped. */
  memoryEnabled: boolean;
  /** Guest-physical address by region (base address register); undefined for regions that are no memory, or not set. */
  regions: (number | undefined)[];
}

/** VirtualBox's names of the devices that own MMIO2 ranges, by their PCI ids. */
const DEVICE_NAMES: ReadonlyMap<number, string> = new Map([
  [0x80eecafe, 'VMMDev'],
  [0x80eebeef, 'vga'],
  [0x15ad0405, 'vga'],
  [0x15ad0406, 'vga'],
]);

const REGION_COUNT = 6;
const BAR_OFFSET = 0x10;
const COMMAND_MEMORY = 2;
/** Bytes of a configuration space. */
export const PCI_CONFIG_SIZE = 256;
export const EXTENDED_CONFIG_SIZE = 4096;
const CONFIG_SIZES = [PCI_CONFIG_SIZE, EXTENDED_CONFIG_SIZE];

/**
 * Finds the devices that own MMIO2 ranges in the payload of a PCI bus. The page manager's unit does not hold the
 * addresses of devices' memory, but the base address registers do. The framing of these units changed between releases,
 * so a configuration space is recognised by its ids and by the bus address before it. Checked against core dumps of
 * VirtualBox 7.2.22 (both chipsets).
 */
export function findPciDevices(payload: Uint8Array): Map<string, PciDevice> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const devices = new Map<string, PciDevice>();
  for (let at = 8; at + 64 <= payload.length; at++) {
    const name = DEVICE_NAMES.get(view.getUint16(at, true) * 0x10000 + view.getUint16(at + 2, true));
    if (name !== undefined && !devices.has(name) && hasBusAddress(view, at)) devices.set(name, readDevice(view, at));
  }
  return devices;
}

/** Whether a device's bus address, and in newer releases the size, precedes a configuration space. */
function hasBusAddress(view: DataView, at: number): boolean {
  const before = view.getUint32(at - 4, true);
  return before < 256 || (CONFIG_SIZES.includes(before) && view.getUint32(at - 8, true) < 256);
}

/** @param config a configuration space, or its first 64 bytes */
export function readPciDevice(config: Uint8Array): PciDevice {
  return readDevice(new DataView(config.buffer, config.byteOffset, config.byteLength), 0);
}

function readDevice(view: DataView, at: number): PciDevice {
  const regions: (number | undefined)[] = [];
  for (let region = 0; region < REGION_COUNT; region++) {
    const bar = view.getUint32(at + BAR_OFFSET + 4 * region, true);
    const isIo = (bar & 1) !== 0;
    const low = (bar & ~0xf) >>> 0;
    const isWide = !isIo && (bar & 6) === 4;
    const high = isWide && region + 1 < REGION_COUNT ? view.getUint32(at + BAR_OFFSET + 4 * region + 4, true) : 0;
    const address = high * TWO_32 + low;
    regions.push(isIo || address === 0 ? undefined : address);
    if (isWide && region + 1 < REGION_COUNT) {
      regions.push(undefined);
      region++;
    }
  }
  const command = view.getUint16(at + 4, true);
  return {
    vendorId: view.getUint16(at, true),
    deviceId: view.getUint16(at + 2, true),
    memoryEnabled: (command & COMMAND_MEMORY) !== 0,
    regions,
  };
}
