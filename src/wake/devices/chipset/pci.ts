import { BASE_ADDRESSES, type Piix3Bus, placeName } from '../../../../formats/units/chipset/pci-codec.ts';
import type { SectionImage } from '../../template/section-image.ts';

/** A device on VirtualBox's bus, with its configuration space. */
export type BusDevice = Pick<Piix3Bus['devices'][number], 'devfn' | 'config' | 'pinLevel' | 'regions'>;

/** Numbers of the base addresses that both machines have, as `[QEMU, VirtualBox]`. */
export type RegionPairs = readonly (readonly [number, number])[];

/** QEMU's section of a device on the first bus. */
export function sectionName(devfn: number, name: string): string {
  return `0000:00:${placeName(devfn)}/${name}`;
}

/** Registers of a configuration space. */
const COMMAND = 0x04;
/** Bit of the command: the device raises no pin. */
const NO_PIN = 0x400;
const LATENCY = 0x0d;
const REGION_SIZE = 4;
const INTERRUPT_LINE = 0x3c;
const INTERRUPT_PIN = 0x3d;
/** Bits of a base address that tell its kind. */
const IO = 1;
const IO_KIND = 0x3;
const MEMORY_KIND = 0xf;

/** The path of a PCI device's configuration space in its section. */
function configPath(section: SectionImage): string {
  return (
    ['parent_obj', 'dev', 'd', 'parent_obj.parent_obj']
      .flatMap((owner) => [`${owner}.config[0]`, `${owner}.config`])
      .find((path) => section.has(path)) ?? 'parent_obj.config[0]'
  );
}

/** Changes bytes of the configuration space. */
export function editConfig(section: SectionImage, edit: (config: DataView) => void): void {
  const path = configPath(section);
  const config = section.bytes(path);
  edit(new DataView(config.buffer));
  section.set(path, config);
}

/** The current configuration space. */
export function configOf(section: SectionImage): DataView {
  return new DataView(section.bytes(configPath(section)).buffer);
}

/**
 * Takes over the guest's settings only: QEMU refuses a configuration space whose other bits are not its own.
 * @param regions base addresses to take, as `[QEMU, VirtualBox]`
 */
export function wakeConfig(section: SectionImage, device: BusDevice, regions: RegionPairs): void {
  const from = configView(device);
  editConfig(section, (to) => {
    to.setUint16(COMMAND, from.getUint16(COMMAND, true), true);
    to.setUint8(LATENCY, from.getUint8(LATENCY));
    to.setUint8(INTERRUPT_LINE, from.getUint8(INTERRUPT_LINE));
    for (const [theirs, ours] of regions)
      wakeBaseAddress(to, theirs, from.getUint32(BASE_ADDRESSES + REGION_SIZE * ours, true));
  });
}

/** Copies bytes that both configuration spaces have in the same places. */
export function copyConfig(section: SectionImage, { config }: BusDevice, start: number, count: number): void {
  editConfig(section, (to) => {
    for (let i = start; i < start + count; i++) to.setUint8(i, config[i]);
  });
}

const MEMORY_ENABLED = 2;

/** Maps the memory of a device of QEMU at an address below 4 GiB. */
export function mapMemory(section: SectionImage, region: number, address: number): void {
  editConfig(section, (config) => {
    config.setUint16(COMMAND, MEMORY_ENABLED, true);
    wakeBaseAddress(config, region, address);
  });
}

/**
 * Keeps a device from raising its pin if the guest does not expect its interrupt, since other devices may share the
 * line.
 */
export function silence(section: SectionImage): void {
  editConfig(section, (config) => config.setUint16(COMMAND, config.getUint16(COMMAND, true) | NO_PIN, true));
}

/**
 * Puts the guest's settings into VirtualBox's device.
 * @param sendsMessages the device sends messages, and does not use its pin
 */
export function takeConfigBack(
  section: SectionImage,
  device: BusDevice,
  regions: RegionPairs,
  sendsMessages = false,
): void {
  const from = configOf(section);
  const to = configView(device);
  const command = from.getUint16(COMMAND, true);
  to.setUint16(COMMAND, sendsMessages ? command : command & ~NO_PIN, true);
  to.setUint8(LATENCY, from.getUint8(LATENCY));
  to.setUint8(INTERRUPT_LINE, from.getUint8(INTERRUPT_LINE));
  for (const [theirs, ours] of regions)
    wakeBaseAddress(to, ours, from.getUint32(BASE_ADDRESSES + REGION_SIZE * theirs, true));
}

/** An address of QEMU's that VirtualBox's device cannot have, whose regions are larger; undefined: there is none. */
export function unfitAddress(
  section: SectionImage,
  { regions: own }: BusDevice,
  regions: RegionPairs,
): number | undefined {
  const config = configOf(section);
  return regions
    .map(([theirs, ours]) => {
      const value = config.getUint32(BASE_ADDRESSES + REGION_SIZE * theirs, true);
      const address = (value & ~((value & IO) !== 0 ? IO_KIND : MEMORY_KIND)) >>> 0;
      const size = own?.[ours]?.size ?? 0;
      return size > 0 && address % size !== 0 ? address : undefined;
    })
    .find((address) => address !== undefined);
}

/** The configuration space of a device of VirtualBox. */
export function configView({ config }: BusDevice): DataView {
  return new DataView(config.buffer, config.byteOffset, config.byteLength);
}

/** Sets a base address if the kinds agree: memory or ports. */
function wakeBaseAddress(to: DataView, region: number, value: number): void {
  const at = BASE_ADDRESSES + REGION_SIZE * region;
  const kind = to.getUint32(at, true);
  if ((kind & IO) !== (value & IO)) return;
  const bits = (kind & IO) !== 0 ? IO_KIND : MEMORY_KIND;
  to.setUint32(at, ((value & ~bits) | (kind & bits)) >>> 0, true);
}

/** 0 to 3 for INTA to INTD; undefined for a device without a pin. */
export function pinOf({ config }: BusDevice): number | undefined {
  const pin = config[INTERRUPT_PIN];
  return pin === 0 ? undefined : pin - 1;
}

const LINES = 4;
const WORD = 4;

function levelsPath(section: SectionImage): string {
  return configPath(section).replace(/config(\[0\])?$/, 'irq_state');
}

/** Raises one of a PCI device's interrupt pins. */
export function holdPin(section: SectionImage, pin: number): void {
  const path = levelsPath(section);
  const levels = section.bytes(path);
  if (levels.length >= LINES * WORD) new DataView(levels.buffer).setUint32(WORD * pin, 1);
  section.set(path, levels);
}

/** Whether a PCI device holds its interrupt pin. */
export function holdsPin(section: SectionImage, pin: number): boolean {
  const levels = section.bytes(levelsPath(section));
  return levels.length >= LINES * WORD && new DataView(levels.buffer).getUint32(WORD * pin) !== 0;
}
