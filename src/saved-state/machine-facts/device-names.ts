import { LIVE_CONTROL } from '../../../formats/ssm/layouts.ts';
// Names of devices in settings files, and VirtualBox's names of devices and units. Taken from states and settings of
// 7.2.22; names from the documentation of the settings alone are marked.

/** Units of removed parts of VirtualBox; 6.1 and later skip them. */
export const STUBS: readonly string[] = ['rem', 'selm', 'CSAM', 'PATM'];

/** Units that every machine can load, whatever its devices. Source: registrations with SSM outside of devices. */
export const UNITS_OF_THE_VMM: readonly string[] = [
  'SSM',
  LIVE_CONTROL,
  'HWACCM',
  'mm',
  'cpum',
  'pgm',
  'tm',
  'vmm',
  'trpm',
  'em',
  'GIM',
  'GCM',
  'pdmblkcache',
  'HGCM',
  'pdm',
  'ConsoleData',
  'DisplayData',
  'DisplayScreenshot',
  // Units of the recompiler and of raw mode: releases from 6.1 on skip their contents. Tried with 7.2.22.
  ...STUBS,
];

/** Devices of every x86 machine; the bus depends on the chipset, the BIOS on the firmware. */
export const ALWAYS = ['pcarch', 'pckbd', 'apic', 'i8259', 'i8254', 'mc146818', '8237A', 'VMMDev'] as const;

/** `StorageController type` → device. */
export const STORAGE: Record<string, string> = {
  I82078: 'i82078',
  AHCI: 'ahci',
  PIIX3: 'piix3ide',
  PIIX4: 'piix3ide',
  ICH6: 'piix3ide',
  LsiLogic: 'lsilogicscsi',
  LsiLogicSas: 'lsilogicsas',
  BusLogic: 'buslogic',
  NVMe: 'nvme',
  VirtioSCSI: 'virtio-scsi',
};
/** Disks and drives on USB: no PCI or ISA device, and no entry in the list of devices, but each has a unit. */
export const STORAGE_ON_USB = 'USB';
export const USB_STORAGE_UNIT = 'Msd';

/** `Adapter type` → device. */
export const NETWORK: Record<string, string> = {
  Am79C970A: 'pcnet',
  Am79C973: 'pcnet',
  Am79C960: 'pcnet',
  '82540EM': 'e1000',
  '82543GC': 'e1000',
  '82545EM': 'e1000',
  '82583V': 'e1000',
  virtio: 'virtio-net',
};
export const DEFAULT_NETWORK = 'Am79C973';

/** `Controller type` of USB → device. */
export const USB: Record<string, string> = { OHCI: 'usb-ohci', EHCI: 'usb-ehci', XHCI: 'usb-xhci' };

/** `AudioAdapter controller` → device. */
export const AUDIO: Record<string, string> = { AC97: 'ichac97', HDA: 'hda', SB16: 'sb16' };
export const DEFAULT_AUDIO = 'AC97';

/** `Iommu type` → device. */
export const IOMMU: Record<string, string> = { Intel: 'iommu-intel', AMD: 'iommu-amd' };

/** Default addresses and interrupts of serial ports, by slot. */
export const SERIAL_PORTS = [
  { port: 0x3f8, irq: 4 },
  { port: 0x2f8, irq: 3 },
  { port: 0x3e8, irq: 4 },
  { port: 0x2e8, irq: 3 },
] as const;
export const DEFAULT_UART = '16550A';
/** Default addresses and interrupts of parallel ports, by slot. */
export const PARALLEL_PORTS = [
  { port: 0x378, irq: 7 },
  { port: 0x278, irq: 5 },
] as const;

/** Units with other names than devices; any of the devices has the unit. */
export const DEVICES_OF_UNIT: Record<string, readonly string[]> = { NvramStore: ['efi', 'tpm'], 'tpm-ppi': ['tpm'] };
/** Devices whose state is in other units. */
export const FIRMWARE_DEVICES = { BIOS: 'pcbios', EFI: 'efi' } as const;

/** Devices that settings switch on or off; all others belong to every machine, or to its chipset or firmware. */
export const IN_SETTINGS: ReadonlySet<string> = new Set([
  ...[STORAGE, NETWORK, USB, AUDIO, IOMMU].flatMap((table) => Object.values(table)),
  ...['serial', 'parallel', 'vga', 'acpi', 'hpet', 'ioapic', 'GIMDev', 'tpm'],
]);

/** Names of ROMs, by their origin. The loader compares only the names. */
export const BIOS_ROMS = ['PC BIOS - 0xfffff', 'PC BIOS - 0xffffffff', 'Net Boot ROM'] as const;
export const EFI_ROMS = /^EFI Firmware Volume/;
export const DMI_ROM = 'DMI tables';
export const VGA_ROM = 'VGA BIOS';
export const ACPI_ROM = 'ACPI RSDP';

/** Memory that only machines with Hyper-V paravirtualisation have. */
export const HYPERV_MEMORY = /^Hyper-V /;

/** Services for guest additions; up to 6.0 there was VBoxSharedCrOpenGL, too. */
export const HOST_SERVICES: readonly string[] = [
  'VBoxGuestPropSvc',
  'VBoxGuestControlSvc',
  'VBoxSharedFolders',
  'VBoxDragAndDropSvc',
  'VBoxSharedClipboard',
];
