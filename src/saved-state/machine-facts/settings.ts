import { entryOf } from '../../../formats/entry-of.ts';
import { FormatError } from '../../../formats/errors.ts';
import { MIB } from '../../../formats/sizes.ts';
import { rtcConfig } from '../../../formats/units/chipset/mc146818.ts';
import { i8254Config } from '../../../formats/units/chipset/timers.ts';
import { apicConfig } from '../../../formats/units/cpu/apic.ts';
import type { GimProvider } from '../../../formats/units/cpu/gim.ts';
import { monitorsConfig } from '../../../formats/units/display/screen.ts';
import type { PdmDevice } from '../../../formats/units/machine/pdm.ts';
import { vmmDevConfig } from '../../../formats/units/machine/vmm-dev.ts';
import * as names from './device-names.ts';
import { internalSettings, takesMissingFeatures } from './extra-data.ts';
import { effectiveParavirtualisation } from './guest-types.ts';
import { type MachineFacts, VGA_MODELS } from './machine-facts.ts';
import { BRIDGE, furtherPlaces } from './pci-bridges.ts';
import { inTodaysForm, settingsVersion } from './settings-ages.ts';
import { attachedDevices } from './settings-devices.ts';
import { type Element, flag, number, oneOf, onlyChild, parseSettings, textOf } from './settings-xml.ts';

/** Limit for settings files, which have some ten kilobytes, or more than one MiB with hundreds of snapshots. */
export const SETTINGS_LIMIT = 2 * MIB;

// Defaults of settings that a file leaves out, from 7.2.22.
const DEFAULTS = { ramMiB: 128, cpus: 1, chipset: 'PIIX3', firmware: 'BIOS', vramMiB: 8, graphics: 'VBoxVGA' } as const;
const RAM_HOLES = { piix3: 0x2000_0000, ich9: 0x2400_0000 } as const;
const VMMDEV_RAM = 4 * MIB;
const VMMDEV_HEAP = 0x4000;
const CHIPSETS = ['PIIX3', 'ICH9'] as const;
const MACOS = /^MacOS/;
const PARAVIRTUALISATION: Record<string, GimProvider> = {
  None: 'none',
  Minimal: 'minimal',
  HyperV: 'hyperv',
  KVM: 'kvm',
};

/**
 * Reads the settings of a machine (`NAME.vbox`) that matter for loading a state. @throws FormatError if the text is no
 * settings file
 */
export function readSettings(text: string, name: string): MachineFacts {
  const root = settingsRoot(text, name);
  const machine = machineElement(root, name);
  return settingsOf({ text, root, machine }, machine, name);
}

/** The root of a settings file. @throws FormatError `bad-settings` */
export function settingsRoot(text: string, name: string): Element {
  return onlyChild(parseSettings(text, name, { transformTagName: withoutPrefix }), 'VirtualBox');
}

/** @throws Error for a prefix: VirtualBox writes none, and would look only at the name after it */
function withoutPrefix(tag: string): string {
  if (tag.includes(':')) throw new Error('it has elements with a prefix, as settings never have');
  return tag;
}

/** A settings file: its text, its root, its `<Machine>`. */
export interface SettingsFile {
  text: string;
  root: Element;
  machine: Element;
}

/** @param own the machine, or one of its snapshots, which has settings of its own */
export function settingsOf({ text, root, machine }: SettingsFile, own: Element, name: string): MachineFacts {
  const hardware = onlyChild(inTodaysForm(own, settingsVersion(root)), 'Hardware');
  // Since 1.20 (VirtualBox 7.1) chipset and CPUs are in <Platform>, before in <Hardware>.
  const platform = { ...hardware, ...onlyChild(own, 'Platform') };
  const firmware = onlyChild(hardware, 'Firmware');
  const chipset = oneOf(onlyChild(platform, 'Chipset').type, CHIPSETS, DEFAULTS.chipset) === 'ICH9' ? 'ich9' : 'piix3';
  const graphics = textOf(onlyChild(hardware, 'Display').controller, DEFAULTS.graphics);
  const hasVga = graphics.toUpperCase() !== 'NONE';
  const isEfi = textOf(firmware.type, DEFAULTS.firmware).toUpperCase().startsWith('EFI');
  // IOAPIC is in <Firmware> since 1.20, before in <BIOS>.
  const switches = { ...onlyChild(hardware, 'BIOS'), ...firmware };
  // macOS guests get some more devices on any chipset.
  const isMac = MACOS.test(textOf(machine.OSType, ''));
  const hasIoApic = chipset === 'ich9' || flag(onlyChild(switches, 'IOAPIC').enabled, false);
  const hasAcpi = flag(onlyChild(switches, 'ACPI').enabled, true);
  const provider = textOf(onlyChild(hardware, 'Paravirt').provider, 'Default');
  const paravirtualisation =
    entryOf(PARAVIRTUALISATION, provider) ?? effectiveParavirtualisation(textOf(machine.OSType, ''), provider);
  const vramSize = number(onlyChild(hardware, 'Display').VRAMSize, DEFAULTS.vramMiB) * MIB;
  const release = /Written by VirtualBox (\d+)\.(\d+)\.(\d+)/.exec(text);
  const devices: PdmDevice[] = [
    ...names.ALWAYS,
    chipset === 'ich9' ? 'ich9pci' : 'pci',
    isEfi ? names.FIRMWARE_DEVICES.EFI : names.FIRMWARE_DEVICES.BIOS,
  ].map(first);
  if (hasIoApic) devices.push(first('ioapic'));
  if (hasAcpi) devices.push(first('acpi'));
  if (hasVga) devices.push(first('vga'));
  const platformX86 = onlyChild(platform, 'x86');
  if (chipset === 'ich9' || isMac || flag(onlyChild({ ...platform, ...platformX86 }, 'HPET').enabled, false))
    devices.push(first('hpet'));
  if (paravirtualisation !== undefined && paravirtualisation !== 'none') devices.push(first('GIMDev'));
  if (isMac) devices.push(first('smc'));
  if (isMac || chipset === 'ich9') devices.push(first('lpc'));
  const attached = attachedDevices(hardware);
  devices.push(...attached.devices);
  if (chipset === 'ich9') devices.push(...bridgesTo(attached.devices));
  const iommu = entryOf(names.IOMMU, textOf(onlyChild(platform, 'Iommu').type, ''));
  if (iommu !== undefined) devices.push(first(iommu));
  const cpu = { ...onlyChild(hardware, 'CPU'), ...onlyChild(platform, 'CPU'), ...onlyChild(platformX86, 'CPU') };
  const configs = new Map(attached.configs);
  configs.set('apic/0', apicConfig(hasIoApic, flag(onlyChild(cpu, 'X2APIC').enabled, false) ? 'x2APIC' : 'APIC'));
  const monitors = number(onlyChild(hardware, 'Display').monitorCount, 1);
  if (hasVga) configs.set('vga/0', monitorsConfig(monitors));
  configs.set('DisplayData/0', monitorsConfig(monitors));
  configs.set('VMMDev/0', vmmDevConfig());
  configs.set('mc146818/0', rtcConfig());
  configs.set('i8254/0', i8254Config());
  return {
    name,
    ...(release
      ? { release: { major: Number(release[1]), minor: Number(release[2]), build: Number(release[3]) } }
      : {}),
    ramSize: number(onlyChild(hardware, 'Memory').RAMSize, DEFAULTS.ramMiB) * MIB,
    ramHole: RAM_HOLES[chipset],
    cpuCount: number(onlyChild(platform, 'CPU').count, DEFAULTS.cpus),
    chipset,
    nestedVirtualisation: flag(onlyChild(cpu, 'NestedHWVirt').enabled, false),
    paravirtualisation,
    ...(hasVga
      ? {
          vga: VGA_MODELS.find((model) => model === graphics.toLowerCase()) ?? 'vboxvga',
          vramSize,
          // VBoxVGA has had no 3D acceleration since 6.1.
          has3d: graphics !== DEFAULTS.graphics && flag(onlyChild(hardware, 'Display').accelerate3D, false),
        }
      : {}),
    roms: [
      names.DMI_ROM,
      ...(isEfi ? ['EFI Firmware Volume'] : names.BIOS_ROMS),
      ...(hasVga ? [names.VGA_ROM] : []),
      ...(hasAcpi ? [names.ACPI_ROM] : []),
    ],
    mmio2: [
      { device: 'VMMDev', instance: 0, region: 1, size: VMMDEV_RAM, description: 'VMMDev' },
      { device: 'VMMDev', instance: 0, region: 2, size: VMMDEV_HEAP, description: 'VMMDev Heap' },
    ],
    devices,
    usbDevices: attached.usbDevices,
    configs,
    takesMissingFeatures: takesMissingFeatures(machine),
    internalSettings: internalSettings(machine),
  };
}

function bridgesTo(devices: readonly PdmDevice[]): PdmDevice[] {
  return furtherPlaces(devices)
    .filter(({ name }) => name === BRIDGE)
    .map(({ name, instance }) => ({ name, instance }));
}

function first(name: string): PdmDevice {
  return { name, instance: 0 };
}

/** @throws FormatError `bad-settings` */
export function machineElement(root: Element, name: string): Element {
  const machine = onlyChild(root, 'Machine');
  if (Object.keys(machine).length === 0)
    throw new FormatError('bad-settings', `Cannot read ${name}: it holds no machine settings`);
  const { architecture } = onlyChild(machine, 'Platform');
  if (architecture !== undefined && architecture !== 'x86') {
    throw new FormatError('bad-settings', `Cannot read ${name}: it is of a machine with another architecture than x86`);
  }
  return machine;
}
