/** Units that are no device, or of devices that any PC has, whose state goes over or is not needed. */
const CARRIED = new Set([
  ...['cpum', 'tm', 'trpm', 'em', 'vmm', 'GIM', 'apic', 'ioapic', 'i8259', 'i8254', 'mc146818', '8237A', 'pckbd'],
  ...['i82078', 'serial', 'acpi', 'pci', 'ich9pci', 'piix3ide', 'vga', 'e1000', 'pcnet', 'ahci', 'hpet', 'pgm', 'mm'],
]);

/** Units of VirtualBox's own housekeeping: no guest sees anything of them. */
const HOUSEKEEPING = new Set([
  ...['SSM', 'HWACCM', 'HM', 'GCM', 'GVM', 'pdm', 'pdmblkcache', 'pcbios', 'pcarch', 'ConsoleData', 'DisplayData'],
  ...['DisplayScreenshot', 'CSAM', 'PATM', 'SELM', 'IOM', 'IEM', 'NEM', 'PDMR3Dev', 'drvNAT', 'CFGM', 'DBGF', 'STAM'],
  ...['AudioMixer', 'HDADrv', 'USBPROXY', 'SSMLiveControl', 'BuildInfo', 'mouse', 'keyboard', 'Input', 'TPR'],
]);

/** Devices for the guest additions alone, which go with VirtualBox. */
const ADDITIONS = new Set(['VMMDev', 'HGCM', 'HGSMI', 'VBoxSVGA']);

/** Controllers of disks that QEMU has no counterpart of, or whose state can't be carried over yet. */
const DISKS = new Set(['lsilogic', 'lsilogicsas', 'buslogic', 'nvme', 'virtio-scsi', 'virtio-blk']);

export type DeviceRole = 'carried' | 'housekeeping' | 'additions' | 'disks' | 'other';

/** What becomes of a unit of the state. */
export function roleOf(unit: string): DeviceRole {
  if (CARRIED.has(unit)) return 'carried';
  if (HOUSEKEEPING.has(unit)) return 'housekeeping';
  if (ADDITIONS.has(unit)) return 'additions';
  return DISKS.has(unit) ? 'disks' : 'other';
}
