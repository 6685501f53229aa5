// How settings files call devices, and how VirtualBox's device and unit names are. Seen in states and settings of 7.2.22; names not seen there are
// from the documentation of the settings and marked so.

/** Units that every machine can load, whatever its devices. Source: what registers with SSM outside of devices. */
export const UNITS_OF_THE_VMM = [
  'SSM',
  'SSMLiveControl',
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
] as const;

/** Devices of every x86 machine; the bus comes with the chipset, the BIOS with the firmware. */
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
/** Controllers without a PCI or ISA device of their own. */
export const STORAGE_ON_USB = 'USB';

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

/** Units of a device that are not called like it. */
export const DEVICE_OF_UNIT: Record<string, string> = { NvramStore: 'efi' };
/** Devices with state only in other units. */
export const FIRMWARE_DEVICES = { BIOS: 'pcbios', EFI: 'efi' } as const;

/** What the loader of the PCI bus compares, before it comes to the devices themselves. */
export const ON_PCI = new Set([
  ...['vga', 'VMMDev', 'acpi', 'piix3ide', 'ahci', 'lsilogicscsi', 'lsilogicsas', 'buslogic', 'nvme', 'virtio-scsi'],
  ...['e1000', 'pcnet', 'virtio-net', 'usb-ohci', 'usb-ehci', 'usb-xhci', 'hda', 'ichac97'],
]);

/** Device and function on the bus of a PIIX3, by `name/instance`, as 7.2.22 tells them when it refuses a state. */
export const PIIX3_PLACES: Record<string, number> = {
  'piix3ide/0': 0x09,
  'vga/0': 0x10,
  'e1000/0': 0x18,
  'pcnet/0': 0x18,
  'virtio-net/0': 0x18,
  'VMMDev/0': 0x20,
  'hda/0': 0x28,
  'ichac97/0': 0x28,
  'usb-ohci/0': 0x30,
  'acpi/0': 0x38,
};

/** ROMs by where they come from. The loader compares only these names. */
export const BIOS_ROMS = ['PC BIOS - 0xfffff', 'PC BIOS - 0xffffffff', 'Net Boot ROM'] as const;
export const EFI_ROMS = /^EFI Firmware Volume/;
export const DMI_ROM = 'DMI tables';
export const VGA_ROM = 'VGA BIOS';
export const ACPI_ROM = 'ACPI RSDP';
