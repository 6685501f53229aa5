import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { FormatError } from '../../../formats/errors.ts';
import type { GimProvider } from '../../../formats/units/gim.ts';
import type { PdmDevice } from '../../../formats/units/pdm.ts';
import { MIB } from '../../../formats/units.ts';
import * as names from './device-names.ts';
import type { TargetMachine } from './target-machine.ts';

/** Settings files have some ten kilobytes. */
export const SETTINGS_LIMIT = 8 * MIB;

// What a settings file leaves out has its default. Seen in files of 7.2.22, whose defaults these are.
const DEFAULTS = { ramMiB: 128, cpus: 1, chipset: 'PIIX3', firmware: 'BIOS', vramMiB: 8, graphics: 'VBoxVGA' } as const;
const RAM_HOLES = { piix3: 0x2000_0000, ich9: 0x2400_0000 } as const;
const VMMDEV_RAM = 4 * MIB;
const VMMDEV_HEAP = 0x4000;
const PARAVIRTUALISATION: Record<string, GimProvider> = { None: 'none', Minimal: 'minimal', HyperV: 'hyperv', KVM: 'kvm' };

type Element = Record<string, unknown>;

/** Reads a machine's settings (`NAME.vbox`): what matters for loading a state. @throws FormatError for what is no settings file */
export function readSettings(text: string, name: string): TargetMachine {
  const machine = machineElement(text, name);
  const find = (...path: string[]) => path.reduce<Element>((element, tag) => child(element, tag), machine);
  const hardware = find('Hardware');
  // Since 1.20 (VirtualBox 7.1) chipset and CPUs stand in <Platform>, before in <Hardware>.
  const platform = { ...hardware, ...find('Platform') };
  const firmware = child(hardware, 'Firmware');
  const chipset = textOf(child(platform, 'Chipset').type, DEFAULTS.chipset).toUpperCase() === 'ICH9' ? 'ich9' : 'piix3';
  const graphics = textOf(child(hardware, 'Display').controller, DEFAULTS.graphics);
  const hasVga = graphics.toUpperCase() !== 'NONE';
  const isEfi = textOf(firmware.type, DEFAULTS.firmware).toUpperCase().startsWith('EFI');
  // IOAPIC is in <Firmware> since 1.20, before in <BIOS>.
  const switches = { ...child(hardware, 'BIOS'), ...firmware };
  const hasIoApic = chipset === 'ich9' || flag(child(switches, 'IOAPIC').enabled, false);
  const hasAcpi = flag(child(switches, 'ACPI').enabled, true);
  const paravirtualisation = PARAVIRTUALISATION[textOf(child(hardware, 'Paravirt').provider, '')];
  const vramSize = number(child(hardware, 'Display').VRAMSize, DEFAULTS.vramMiB) * MIB;
  const release = /Written by VirtualBox (\d+)\.(\d+)\.(\d+)/.exec(text);
  const devices: PdmDevice[] = [...names.ALWAYS, chipset === 'ich9' ? 'ich9pci' : 'pci', isEfi ? names.FIRMWARE_DEVICES.EFI : names.FIRMWARE_DEVICES.BIOS].map(
    first,
  );
  if (hasIoApic) devices.push(first('ioapic'));
  if (hasAcpi) devices.push(first('acpi'));
  if (hasVga) devices.push(first('vga'));
  const platformX86 = child(platform, 'x86');
  if (chipset === 'ich9' || flag(child({ ...platform, ...platformX86 }, 'HPET').enabled, false)) devices.push(first('hpet'));
  if (paravirtualisation === 'kvm' || paravirtualisation === 'hyperv') devices.push(first('GIMDev'));
  devices.push(...attachedDevices(machine, hardware));
  return {
    name,
    ...(release ? { release: { major: Number(release[1]), minor: Number(release[2]), build: Number(release[3]) } } : {}),
    ramSize: number(child(hardware, 'Memory').RAMSize, DEFAULTS.ramMiB) * MIB,
    ramHole: RAM_HOLES[chipset],
    cpuCount: number(child(platform, 'CPU').count, DEFAULTS.cpus),
    chipset,
    hasIoApic,
    ...(paravirtualisation ? { paravirtualisation } : {}),
    ...(hasVga ? { vga: graphics.toUpperCase() === 'VMSVGA' ? ('vmsvga' as const) : ('vboxvga' as const), vramSize } : {}),
    roms: [names.DMI_ROM, ...(isEfi ? ['EFI Firmware Volume'] : names.BIOS_ROMS), ...(hasVga ? [names.VGA_ROM] : []), ...(hasAcpi ? [names.ACPI_ROM] : [])],
    mmio2: [
      { device: 'VMMDev', instance: 0, region: 1, size: VMMDEV_RAM, description: 'VMMDev' },
      { device: 'VMMDev', instance: 0, region: 2, size: VMMDEV_HEAP, description: 'VMMDev Heap' },
    ],
    devices,
  };
}

function attachedDevices(machine: Element, hardware: Element): PdmDevice[] {
  const devices: PdmDevice[] = [];
  const count = new Map<string, number>();
  const add = (name: string | undefined, instance?: number) => {
    if (name === undefined) return;
    const next = count.get(name) ?? 0;
    count.set(name, next + 1);
    devices.push({ name, instance: instance ?? next });
  };
  const controllers = { ...child(machine, 'StorageControllers'), ...child(hardware, 'StorageControllers') };
  for (const { type } of children(controllers, 'StorageController'))
    if (type !== names.STORAGE_ON_USB) add(names.STORAGE[textOf(type, '')] ?? textOf(type, '?'));
  for (const { enabled, type, slot } of children(child(hardware, 'Network'), 'Adapter')) {
    if (flag(enabled, false)) add(names.NETWORK[textOf(type, names.DEFAULT_NETWORK)] ?? textOf(type, '?'), number(slot, 0));
  }
  for (const { type } of children(child(child(hardware, 'USB'), 'Controllers'), 'Controller')) add(names.USB[textOf(type, '')]);
  const { enabled, controller } = child(hardware, 'AudioAdapter');
  if (flag(enabled, false)) add(names.AUDIO[textOf(controller, names.DEFAULT_AUDIO)]);
  for (const port of children(child(hardware, 'UART'), 'Port')) if (flag(port.enabled, false)) add('serial', number(port.slot, 0));
  for (const port of children(child(hardware, 'LPT'), 'Port')) if (flag(port.enabled, false)) add('parallel', number(port.slot, 0));
  if (textOf(child(hardware, 'TrustedPlatformModule').type, 'None') !== 'None') add('tpm');
  return devices;
}

function first(name: string): PdmDevice {
  return { name, instance: 0 };
}

function machineElement(text: string, name: string): Element {
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw new FormatError('bad-settings', `Cannot read ${name}: it is no XML, ${valid.err.msg} (line ${valid.err.line})`);
  const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: '', parseAttributeValue: false, processEntities: false });
  const machine = child(child(parser.parse(text) as Element, 'VirtualBox'), 'Machine');
  if (Object.keys(machine).length === 0) throw new FormatError('bad-settings', `Cannot read ${name}: it holds no machine settings`);
  if (child(machine, 'Platform').architecture !== undefined && child(machine, 'Platform').architecture !== 'x86') {
    throw new FormatError('bad-settings', `Cannot read ${name}: it is of a machine with another architecture than x86`);
  }
  return machine;
}

/** The only, or first, element of a name; an empty one where there is none. */
function child(element: Element, tag: string): Element {
  return children(element, tag)[0] ?? {};
}

function children(element: Element, tag: string): Element[] {
  const value = element[tag];
  const list = Array.isArray(value) ? value : [value];
  return list.filter((item): item is Element => typeof item === 'object' && item !== null);
}

function textOf(value: unknown, missing: string): string {
  return typeof value === 'string' ? value : missing;
}

function number(value: unknown, missing: number): number {
  const parsed = typeof value === 'string' ? Number(value) : Number.NaN;
  return Number.isSafeInteger(parsed) && parsed >= 0 ? parsed : missing;
}

function flag(value: unknown, missing: boolean): boolean {
  return value === 'true' || (value !== 'false' && missing);
}
