/** Units whose state is carried over, or not needed: units of no device, and of devices that any PC has. */
const CARRIED = new Set([
  ...['cpum', 'tm', 'trpm', 'em', 'vmm', 'GIM', 'apic', 'ioapic', 'i8259', 'i8254', 'mc146818', '8237A', 'pckbd'],
  ...['i82078', 'serial', 'acpi', 'pci', 'ich9pci', 'piix3ide', 'vga', 'e1000', 'pcnet', 'ahci', 'hpet', 'pgm', 'mm'],
]);

/** Units that VirtualBox needs for itself; guests see nothing of them. */
const HOUSEKEEPING = new Set([
  ...['SSM', 'HWACCM', 'HM', 'GCM', 'GVM', 'pdm', 'pdmblkcache', 'pcbios', 'pcarch', 'ConsoleData', 'DisplayData'],
  ...['DisplayScreenshot', 'CSAM', 'PATM', 'SELM', 'IOM', 'IEM', 'NEM', 'PDMR3Dev', 'drvNAT', 'CFGM', 'DBGF', 'STAM'],
  ...['AudioMixer', 'HDADrv', 'USBPROXY', 'SSMLiveControl', 'BuildInfo', 'mouse', 'keyboard', 'Input', 'TPR'],
]);

/** Devices that only the guest additions use; QEMU has none of them. */
const ADDITIONS = new Set(['VMMDev', 'HGCM', 'HGSMI', 'VBoxSVGA']);

/** Disk controllers without a counterpart in QEMU, or whose state cannot be carried over yet. */
const DISKS = new Set(['lsilogicscsi', 'lsilogicsas', 'buslogic', 'nvme', 'virtio-scsi']);

export type DeviceRole = 'carried' | 'housekeeping' | 'additions' | 'disks' | 'other';

/** The role of a unit when the state is woken. */
export function roleOf(unit: string): DeviceRole {
  if (CARRIED.has(unit)) return 'carried';
  if (HOUSEKEEPING.has(unit)) return 'housekeeping';
  if (ADDITIONS.has(unit)) return 'additions';
  return DISKS.has(unit) ? 'disks' : 'other';
}
