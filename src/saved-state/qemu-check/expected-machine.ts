import { MIB } from '../../../formats/sizes.ts';
import { DEVICE_TYPES, type DeviceType } from './device-table.ts';
import { DEFAULT_CARD, DEFAULT_GRAPHICS } from './devices-of-command.ts';
import type { GuestDevice, GuestSettings, MemorySettings } from './guest-settings.ts';
import { MachineAge } from './machine-age.ts';
import { CHIPSETS, hasPart, PARTS, type QemuChipset, WITHOUT_EFFECT } from './machine-table.ts';
import { PciPlaces } from './pci-places.ts';
import { ScsiPlaces } from './scsi-places.ts';
import { UsbPlaces } from './usb-places.ts';

/** A RAM block of a machine. */
export interface ExpectedBlock {
  name: string;
  /** Size in bytes; absent if settings do not tell. */
  size?: number;
  /** Any size in a state fits. */
  fits?: true;
}

/** A section that a machine can load. */
export interface ExpectedSection {
  name: string;
  instance: number;
  /** The newest version that the machine loads; if absent, the table of versions tells. */
  version?: number;
  /** Vendor and device of a PCI device, as in the first word of its configuration. */
  pciId?: number;
}

/** Blocks and sections that a machine can load, as far as known. */
export interface ExpectedMachine {
  /** Source of the settings, for people. */
  name: string;
  /** Machine type with its version; absent if neither settings nor facts of QEMU tell. */
  machineType?: string;
  blocks: ExpectedBlock[];
  sections: ExpectedSection[];
  /** Unknown parts of the machine itself; if there are any, no section or block is known to be missing. */
  unknown: string[];
  /** Unknown devices; if there are any, only built-in sections and blocks are known to be missing. */
  unknownDevices: string[];
  /** Facts that QEMU compares, and that savkit cannot judge. */
  notJudged: string[];
}

/** Properties of devices that neither change the contents of sections nor are compared. */
const PLAIN_PROPERTIES = new Set(
  `driver id bus addr drive netdev mac serial bootindex chardev audiodev model product vendor wwn vlan port scsi-id lun
   channel write-cache rotation_rate share-rw discard_granularity opt_io_size min_io_size logical_block_size
   physical_block_size xres yres xmax ymax edid rombar romfile vgamem_mb chassis chassis_nr slot bus_nr name tray
   hotplug unit fsdev mount_tag failover_pair_id acpi-index guid`.split(/\s+/),
);

/** The chipset of a machine type; undefined if savkit has no table of it. */
export function chipsetOf(machineType: string): QemuChipset | undefined {
  return CHIPSETS.find(({ alias, types }) => machineType === alias || types.test(machineType));
}

/**
 * The machine that QEMU makes from settings.
 * @param machineType with its version, if known
 */
export function expectedOf(settings: GuestSettings, machineType: string | undefined): ExpectedMachine {
  const machine = new Building(settings, machineType);
  machine.build();
  return machine.expected;
}

class Building {
  readonly expected: ExpectedMachine;
  readonly #settings: GuestSettings;
  readonly #chipset: QemuChipset | undefined;
  readonly #age: MachineAge;
  readonly #pci: PciPlaces;
  readonly #usb = new UsbPlaces();
  readonly #scsi = new ScsiPlaces();
  readonly #instances = new Map<string, number>();

  constructor(settings: GuestSettings, machineType: string | undefined) {
    const { name, unknown } = settings;
    this.#settings = settings;
    const told = machineType ?? settings.machineType ?? CHIPSETS[0].alias;
    this.#chipset = chipsetOf(told);
    this.#age = new MachineAge(told);
    this.#pci = new PciPlaces(this.#chipset?.bus ?? '', this.#chipset?.slots ?? []);
    this.expected = {
      name,
      machineType,
      blocks: [],
      sections: [],
      unknown: [...unknown],
      unknownDevices: [],
      notJudged: [],
    };
    if (!this.#chipset) this.expected.unknown.push(`machine type ${told}`);
  }

  build(): void {
    const { ram, machine, apics, cpuModel } = this.#settings;
    this.expected.blocks.push(...ram);
    if (!this.#chipset) return;
    this.#addMachine(this.#chipset);
    this.#addFirmware(this.#chipset);
    this.#addCpus(apics, cpuModel);
    if (machine.get('usb') === 'on') for (const [type, addr] of this.#chipset.usb) this.#add(deviceAt(type, addr));
    for (const each of this.#settings.devices) this.#add(each);
    if (machine.get('accel')?.startsWith('kvm')) this.expected.unknown.push('the sections that KVM adds');
    if (machine.get('accel')?.startsWith('xen')) this.expected.unknown.push('the sections that Xen adds');
  }

  #addMachine(chipset: QemuChipset): void {
    const { machine } = this.#settings;
    const missing = PARTS.filter((part) => !hasPart(part, chipset, machine));
    for (const name of chipset.sections)
      if (this.#age.has(name) && !missing.some(({ sections }) => sections.test(name))) this.#section(name);
    for (const name of ACPI_BLOCKS)
      if (this.#age.has(name) && !missing.some(({ blocks }) => blocks?.test(name)))
        this.expected.blocks.push({ name, fits: true });
    for (const property of machine.keys())
      if (!WITHOUT_EFFECT.has(property) && !PARTS.some((part) => part.property === property))
        this.expected.unknown.push(`property ${property} of the machine`);
  }

  #addFirmware({ alias }: QemuChipset): void {
    const own: MemorySettings = { name: 'pc.bios', size: DEFAULT_BIOS };
    const firmware = this.#settings.firmware ?? [own];
    const isFlash = firmware.some(({ name }) => name.startsWith('system.flash'));
    this.expected.blocks.push(...firmware, { name: 'pc.rom', size: OPTION_ROMS });
    if (!isFlash) return;
    this.expected.blocks.push({ name: 'isa-bios', fits: true });
    for (const _ of firmware) this.#section('pflash_cfi01');
    if (alias !== 'pc' && alias !== 'q35') this.expected.unknown.push('flash memory');
  }

  #addCpus(apics: readonly number[], model = ''): void {
    // A machine of several CPUs has local APICs even if the model has none.
    const isWithout =
      /,(-apic|apic=off)(,|$)/.test(model) || (/^486(-|,|$)/.test(model) && !/,(\+apic|apic=on)/.test(model));
    const hasApic = apics.length > 1 || !isWithout;
    for (const [cpu, apic] of apics.entries()) {
      this.#push('cpu_common', cpu);
      this.#push('cpu', cpu);
      if (hasApic) this.#push('apic', apic);
    }
    if (hasApic) this.#section('kvm-tpr-opt');
  }

  #add(device: GuestDevice): void {
    const { properties } = device;
    const typeName = this.#typeNameOf(device);
    const type = DEVICE_TYPES.get(typeName);
    if (!type) {
      this.expected.unknownDevices.push(`device ${typeName}`);
      return;
    }
    const path = this.#placeOf(type, device);
    if (path === undefined) {
      this.expected.unknownDevices.push(`place of device ${typeName}`);
      return;
    }
    const at = path === '' ? '' : `${path}/`;
    for (const name of type.sections) this.#section(`${at}${name}`, type.pciId);
    for (const name of type.apart) this.#section(name);
    if (properties.get('rombar') !== '0') this.#addBlocks(typeName, type, properties, at);
    if (type.hasBus) {
      this.#section('PCIBUS');
      this.#pci.addBus(properties.get('id'), path, type.hasBus === 'port');
    }
    if (type.makes) this.#makeBus(type, properties.get('id'), path);
    this.#judgeProperties(typeName, type, path, properties);
  }

  #typeNameOf({ type }: GuestDevice): string {
    if (type === DEFAULT_GRAPHICS) return this.#age.graphics;
    return type === DEFAULT_CARD ? this.#age.cardOf((this.#chipset as QemuChipset).card) : type;
  }

  #placeOf(type: DeviceType, device: GuestDevice): string | undefined {
    switch (type.bus) {
      case 'pci':
        return this.#pci.place(device);
      case 'usb':
        return this.#usb.place(device);
      case 'scsi':
        return this.#scsi.place(device);
      default:
        return '';
    }
  }

  #makeBus({ makes }: DeviceType, id: string | undefined, path: string): void {
    if (makes?.kind === 'usb') this.#usb.addBus(id, path, makes.ports);
    else if (makes) this.#scsi.addBus(id, path);
  }

  #addBlocks(typeName: string, type: DeviceType, properties: ReadonlyMap<string, string>, at: string): void {
    for (const [name, size] of type.blocks) {
      const file = properties.get('romfile');
      if (name.endsWith('.rom') && file === '') continue;
      const own = name.endsWith('.rom') && file !== undefined;
      const video = properties.get('vgamem_mb');
      const block: ExpectedBlock = { name: `${at}${name}`, size };
      if (own) delete block.size;
      if (name === VIDEO && this.#age.hasGlobalVideo(typeName)) block.name = name;
      if (name === VIDEO) block.size = video === undefined ? this.#age.videoOf(typeName, size) : Number(video) * MIB;
      this.expected.blocks.push(block);
    }
    for (const [name, size] of type.blocksApart) this.expected.blocks.push({ name, size });
  }

  #judgeProperties(name: string, type: DeviceType, path: string, properties: ReadonlyMap<string, string>): void {
    const { notJudged } = this.expected;
    const where = path === '' ? name : `${name} at ${path}`;
    const own = [...properties.keys()].filter((key) => !PLAIN_PROPERTIES.has(key));
    if (own.length > 0) notJudged.push(`${own.join(', ')} of ${where}`);
    if (type.negotiates) notJudged.push(`whether ${where} offers all features that the guest has taken up`);
  }

  /** Adds a section; sections of one name are numbered in the order in which their devices are made. */
  #section(name: string, pciId?: number): void {
    const instance = this.#instances.get(name) ?? 0;
    this.#instances.set(name, instance + 1);
    this.#push(name, instance, pciId);
  }

  #push(name: string, instance: number, pciId?: number): void {
    this.expected.sections.push({ name, instance, pciId });
  }
}

function deviceAt(type: string, addr: string): GuestDevice {
  return { type, properties: new Map([['addr', addr]]) };
}

/** Whether a section or block of this name is built into machines, and belongs to no device. */
export function isOfMachine(name: string): boolean {
  return OWN_NAMES.has(name) || CHIPSETS.some(({ sections }) => sections.includes(name) && !name.includes('/'));
}

const ACPI_BLOCKS = ['/rom@etc/acpi/tables', '/rom@etc/table-loader', '/rom@etc/acpi/rsdp'];
/** Memory of most graphics adapters. */
const VIDEO = 'vga.vram';
const DEFAULT_BIOS = 256 * 1024;
/** Size of block `pc.rom`. */
const OPTION_ROMS = 128 * 1024;
const OWN_NAMES = new Set(['cpu_common', 'cpu', 'apic', 'kvm-tpr-opt', 'pc.bios', 'pc.rom', 'pc.ram', ...ACPI_BLOCKS]);
