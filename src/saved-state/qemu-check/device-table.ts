import { KIB } from '../../../formats/sizes.ts';

// Sections and blocks of memory of each kind of device, as QEMU 7.2.22 and 10.0.2 saved them in a machine with that
// device alone.

/** The bus of a device; names of sections contain the place on it. */
type BusKind = 'pci' | 'usb' | 'scsi' | 'none';

interface Details {
  /** Device and vendor of a PCI device. */
  id?: number;
  /** Sections whose names contain no place. */
  apart?: string;
  /** Blocks of memory at the device's place, in KiB. */
  blocks?: Readonly<Record<string, number>>;
  /** Blocks whose names contain no place. */
  blocksApart?: Readonly<Record<string, number>>;
  /** Kind of the PCI bus behind the device; behind a port there is room for one device. */
  hasBus?: 'bus' | 'port';
  /** Ports of a USB controller. */
  ports?: number;
  /** Has a SCSI bus. */
  scsi?: true;
  /** Guest and device agree on features, which the device compares when a state is loaded. */
  negotiates?: true;
}

// biome-ignore format: a table
const ROWS: readonly (readonly [type: string, bus: BusKind, sections: string, details?: Details])[] = [
  ['i82801b11-bridge', 'pci', 'i82801b11_bridge', { id: 0x244e_8086, hasBus: 'bus' }],
  ['ioh3420', 'pci', 'ioh-3240-express-root-port', { id: 0x3420_8086, hasBus: 'port' }],
  ['pcie-pci-bridge', 'pci', 'pcie-pci-bridge', { id: 0x000e_1b36, hasBus: 'bus' }],
  ['pcie-root-port', 'pci', 'pcie-root-port', { id: 0x000c_1b36, hasBus: 'port' }],
  ['usb-hub', 'usb', 'usb-hub'],
  ['x3130-upstream', 'pci', 'xio3130-express-upstream-port', { id: 0x8232_104c, hasBus: 'bus' }],
  ['xio3130-downstream', 'pci', 'xio3130-express-downstream-port', { id: 0x8233_104c, hasBus: 'port' }],
  ['ich9-usb-ehci1', 'pci', 'ehci', { id: 0x293a_8086, ports: 6 }],
  ['ich9-usb-ehci2', 'pci', 'ehci', { id: 0x293c_8086, ports: 6 }],
  ['ich9-usb-uhci1', 'pci', 'uhci', { id: 0x2934_8086, ports: 2 }],
  ['ich9-usb-uhci2', 'pci', 'uhci', { id: 0x2935_8086, ports: 2 }],
  ['ich9-usb-uhci3', 'pci', 'uhci', { id: 0x2936_8086, ports: 2 }],
  ['ich9-usb-uhci4', 'pci', 'uhci', { id: 0x2937_8086, ports: 2 }],
  ['ich9-usb-uhci5', 'pci', 'uhci', { id: 0x2938_8086, ports: 2 }],
  ['ich9-usb-uhci6', 'pci', 'uhci', { id: 0x2939_8086, ports: 2 }],
  ['nec-usb-xhci', 'pci', 'xhci', { id: 0x0194_1033, ports: 4 }],
  ['pci-ohci', 'pci', 'ohci', { id: 0x003f_106b, ports: 3 }],
  ['piix3-usb-uhci', 'pci', 'uhci', { id: 0x7020_8086, ports: 2 }],
  ['piix4-usb-uhci', 'pci', 'uhci', { id: 0x7112_8086, ports: 2 }],
  ['qemu-xhci', 'pci', 'xhci', { id: 0x000d_1b36, ports: 4 }],
  ['usb-ehci', 'pci', 'ehci', { id: 0x24cd_8086, ports: 6 }],
  ['am53c974', 'pci', 'pciespscsi', { id: 0x2020_1022, scsi: true }],
  ['dc390', 'pci', 'eeprom pciespscsi', { id: 0x2020_1022, scsi: true }],
  ['floppy', 'none', ''],
  ['ich9-ahci', 'pci', 'ich9_ahci', { id: 0x2922_8086 }],
  ['ide-cd', 'none', ''],
  ['ide-hd', 'none', ''],
  ['isa-ide', 'none', '', { apart: 'isa-ide' }],
  ['lsi53c810', 'pci', 'lsiscsi', { id: 0x0001_1000, scsi: true }],
  ['lsi53c895a', 'pci', 'lsiscsi', { id: 0x0012_1000, scsi: true }],
  ['megasas', 'pci', 'megasas', { id: 0x0060_1000, scsi: true }],
  ['megasas-gen2', 'pci', 'megasas-gen2', { id: 0x0079_1000, scsi: true }],
  ['mptsas1068', 'pci', 'mptsas', { id: 0x0054_1000, scsi: true }],
  ['nvme-subsys', 'none', ''],
  ['piix3-ide', 'pci', 'ide', { id: 0x7010_8086 }],
  ['piix4-ide', 'pci', 'ide', { id: 0x7111_8086 }],
  ['pvscsi', 'pci', 'pvscsi', { id: 0x07c0_15ad, scsi: true }],
  ['scsi-cd', 'scsi', 'scsi-disk'],
  ['scsi-hd', 'scsi', 'scsi-disk'],
  ['sdhci-pci', 'pci', 'sdhci', { id: 0x0007_1b36 }],
  ['usb-storage', 'usb', '0:0:0/scsi-disk usb-storage'],
  ['virtio-blk-pci', 'pci', 'virtio-blk', { id: 0x1001_1af4, negotiates: true }],
  ['virtio-blk-pci-non-transitional', 'pci', 'virtio-blk', { id: 0x1042_1af4, negotiates: true }],
  ['virtio-blk-pci-transitional', 'pci', 'virtio-blk', { id: 0x1001_1af4, negotiates: true }],
  ['virtio-scsi-pci', 'pci', 'virtio-scsi', { id: 0x1004_1af4, scsi: true, negotiates: true }],
  ['virtio-scsi-pci-non-transitional', 'pci', 'virtio-scsi', { id: 0x1048_1af4, scsi: true, negotiates: true }],
  ['virtio-scsi-pci-transitional', 'pci', 'virtio-scsi', { id: 0x1004_1af4, scsi: true, negotiates: true }],
  ['e1000', 'pci', 'e1000', { id: 0x100e_8086, blocks: { 'e1000.rom': 256 } }],
  ['e1000-82544gc', 'pci', 'e1000', { id: 0x100c_8086, blocks: { 'e1000.rom': 256 } }],
  ['e1000-82545em', 'pci', 'e1000', { id: 0x100f_8086, blocks: { 'e1000.rom': 256 } }],
  ['e1000e', 'pci', 'e1000e', { id: 0x10d3_8086, blocks: { 'e1000e.rom': 256 } }],
  ['i82550', 'pci', 'eeprom i82550', { id: 0x1209_8086, blocks: { 'i82550.rom': 128 } }],
  ['i82551', 'pci', 'eeprom i82551', { id: 0x1209_8086, blocks: { 'i82551.rom': 128 } }],
  ['i82557a', 'pci', 'eeprom i82557a', { id: 0x1229_8086, blocks: { 'i82557a.rom': 128 } }],
  ['i82557b', 'pci', 'eeprom i82557b', { id: 0x1229_8086, blocks: { 'i82557b.rom': 128 } }],
  ['i82557c', 'pci', 'eeprom i82557c', { id: 0x1229_8086, blocks: { 'i82557c.rom': 128 } }],
  ['i82558a', 'pci', 'eeprom i82558a', { id: 0x1229_8086, blocks: { 'i82558a.rom': 128 } }],
  ['i82558b', 'pci', 'eeprom i82558b', { id: 0x1229_8086, blocks: { 'i82558b.rom': 128 } }],
  ['i82559a', 'pci', 'eeprom i82559a', { id: 0x1229_8086, blocks: { 'i82559a.rom': 128 } }],
  ['i82559b', 'pci', 'eeprom i82559b', { id: 0x1229_8086, blocks: { 'i82559b.rom': 128 } }],
  ['i82559c', 'pci', 'eeprom i82559c', { id: 0x1229_8086, blocks: { 'i82559c.rom': 128 } }],
  ['i82559er', 'pci', 'eeprom i82559er', { id: 0x1209_8086, blocks: { 'i82559er.rom': 128 } }],
  ['i82562', 'pci', 'eeprom i82562', { id: 0x1209_8086, blocks: { 'i82562.rom': 128 } }],
  ['i82801', 'pci', 'eeprom i82801', { id: 0x2449_8086, blocks: { 'i82801.rom': 128 } }],
  ['ne2k_isa', 'none', '', { apart: 'ne2000' }],
  ['ne2k_pci', 'pci', 'ne2000', { id: 0x8029_10ec, blocks: { 'ne2000.rom': 256 } }],
  ['pcnet', 'pci', 'pcnet', { id: 0x2000_1022, blocks: { 'pcnet.rom': 256 } }],
  ['rtl8139', 'pci', 'rtl8139', { id: 0x8139_10ec, blocks: { 'rtl8139.rom': 256 } }],
  ['tulip', 'pci', 'eeprom tulip', { id: 0x0019_1011 }],
  ['virtio-net-pci', 'pci', 'virtio-net', { id: 0x1000_1af4, blocks: { 'virtio-net-pci.rom': 256 }, negotiates: true }],
  ['virtio-net-pci-non-transitional', 'pci', 'virtio-net',
    { id: 0x1041_1af4, blocks: { 'virtio-net-pci-non-transitional': 256 }, negotiates: true }],
  ['virtio-net-pci-transitional', 'pci', 'virtio-net',
    { id: 0x1000_1af4, blocks: { 'virtio-net-pci-transitional.rom': 256 }, negotiates: true }],
  ['vmxnet3', 'pci', 'vmxnet3', { id: 0x07b0_15ad, blocks: { 'vmxnet3.rom': 256 } }],
  ['isa-serial', 'none', '', { apart: 'serial' }],
  ['pci-serial', 'pci', 'pci-serial', { id: 0x0002_1b36 }],
  ['pci-serial-4x', 'pci', 'pci-serial-multi', { id: 0x0004_1b36 }],
  ['tpci200', 'pci', 'tpci200', { id: 0x30c8_1498 }],
  ['usb-ccid', 'usb', 'usb-ccid'],
  ['usb-kbd', 'usb', 'usb-kbd'],
  ['usb-mouse', 'usb', 'usb-ptr'],
  ['usb-tablet', 'usb', 'usb-ptr'],
  ['virtconsole', 'none', ''],
  ['virtio-keyboard-pci', 'pci', 'virtio-input', { id: 0x1052_1af4, negotiates: true }],
  ['virtio-mouse-pci', 'pci', 'virtio-input', { id: 0x1052_1af4, negotiates: true }],
  ['virtio-serial-pci', 'pci', 'virtio-console', { id: 0x1003_1af4, negotiates: true }],
  ['virtio-serial-pci-non-transitional', 'pci', 'virtio-console', { id: 0x1043_1af4, negotiates: true }],
  ['virtio-serial-pci-transitional', 'pci', 'virtio-console', { id: 0x1003_1af4, negotiates: true }],
  ['virtio-tablet-pci', 'pci', 'virtio-input', { id: 0x1052_1af4, negotiates: true }],
  ['virtserialport', 'none', ''],
  ['bochs-display', 'pci', 'bochs-display',
    { id: 0x1111_1234, blocks: { 'bochs-display-vram': 16384, 'bochs-display.rom': 32 } }],
  ['cirrus-vga', 'pci', 'cirrus_vga', { id: 0x00b8_1013, blocks: { 'vga.vram': 4096, 'cirrus_vga.rom': 64 } }],
  ['isa-cirrus-vga', 'none', '', { apart: 'cirrus_vga', blocksApart: { 'vga.vram': 4096 } }],
  ['isa-vga', 'none', '', { apart: 'vga', blocksApart: { 'vga.vram': 8192 } }],
  ['qxl', 'pci', 'qxl', { id: 0x0100_1b36, blocks: { 'qxl.vgavram': 65536, 'qxl.vram': 65536, 'qxl.vrom': 8 } }],
  ['qxl-vga', 'pci', 'qxl',
    { id: 0x0100_1b36, blocks: { 'vga.vram': 65536, 'qxl.vram': 65536, 'qxl.rom': 64, 'qxl.vrom': 8 } }],
  ['ramfb', 'none', ''],
  ['secondary-vga', 'pci', 'vga', { id: 0x1111_1234, blocks: { 'vga.vram': 16384 } }],
  ['sga', 'none', ''],
  ['VGA', 'pci', 'vga', { id: 0x1111_1234, blocks: { 'vga.vram': 16384, 'vga.rom': 64 } }],
  ['virtio-gpu-pci', 'pci', 'virtio-gpu', { id: 0x1050_1af4, negotiates: true }],
  ['virtio-vga', 'pci', 'virtio-gpu virtio-vga',
    { id: 0x1050_1af4, blocks: { 'vga.vram': 8192, 'virtio-vga.rom': 64 }, negotiates: true }],
  ['vmware-svga', 'pci', 'vmware_vga',
    { id: 0x0405_15ad, apart: 'vga', blocks: { 'vga.vram': 16384, 'vmware_vga.rom': 64 },
      blocksApart: { 'vmsvga.fifo': 64 } }],
  ['AC97', 'pci', 'ac97', { id: 0x2415_8086 }],
  ['cs4231a', 'none', '', { apart: 'cs4231a' }],
  ['ES1370', 'pci', 'es1370', { id: 0x5000_1274 }],
  ['ich9-intel-hda', 'pci', 'intel-hda', { id: 0x293e_8086 }],
  ['intel-hda', 'pci', 'intel-hda', { id: 0x2668_8086 }],
  ['sb16', 'none', '', { apart: 'sb16' }],
  ['acpi-erst', 'pci', 'acpi-erst', { id: 0x0012_1b36, blocks: { 'erst.exchange': 8 }, blocksApart: { 'm0': 4096 } }],
  ['AMDVI-PCI', 'pci', ''],
  ['edu', 'pci', ''],
  ['hyperv-testdev', 'none', ''],
  ['i2c-ddc', 'none', '', { apart: 'i2c-ddc' }],
  ['isa-applesmc', 'none', ''],
  ['isa-debug-exit', 'none', ''],
  ['mc146818rtc', 'none', '', { apart: 'mc146818rtc' }],
  ['pc-testdev', 'none', ''],
  ['pci-testdev', 'pci', ''],
  ['pvpanic', 'none', ''],
  ['pvpanic-pci', 'pci', 'pvpanic-pci'],
  ['virtio-balloon-pci', 'pci', 'virtio-balloon', { negotiates: true }],
  ['virtio-balloon-pci-non-transitional', 'pci', 'virtio-balloon', { negotiates: true }],
  ['virtio-balloon-pci-transitional', 'pci', 'virtio-balloon', { negotiates: true }],
  ['virtio-iommu-pci', 'pci', 'virtio-iommu', { negotiates: true }],
  ['virtio-rng-pci', 'pci', 'virtio-rng', { negotiates: true }],
  ['virtio-rng-pci-non-transitional', 'pci', 'virtio-rng', { negotiates: true }],
  ['virtio-rng-pci-transitional', 'pci', 'virtio-rng', { negotiates: true }],
  ['vmcoreinfo', 'none', '', { apart: 'vmcoreinfo' }],
  ['vmgenid', 'none', '', { apart: 'vmgenid' }],
  ['i6300esb', 'pci', 'i6300esb_wdt'],
  ['ib700', 'none', '', { apart: 'ib700_wdt' }],
  ['ipmi-bmc-extern', 'none', '', { apart: 'ipmi-bmc-extern' }],
  ['ipmi-bmc-sim', 'none', '', { apart: 'ipmi-bmc-sim' }],
  ['pci-bridge', 'pci', 'pci_bridge', { id: 0x0001_1b36, hasBus: 'bus' }],
  ['hda-duplex', 'none', '', { apart: 'hda-audio' }],
  ['hda-micro', 'none', '', { apart: 'hda-audio' }],
  ['hda-output', 'none', '', { apart: 'hda-audio' }],
  ['isa-parallel', 'none', '', { apart: 'parallel_isa' }],
  ['slirp', 'none', '', { apart: 'slirp' }],
];

/** A kind of device. */
export interface DeviceType {
  bus: BusKind;
  sections: readonly string[];
  apart: readonly string[];
  /** Name and bytes. */
  blocks: readonly (readonly [string, number])[];
  blocksApart: readonly (readonly [string, number])[];
  pciId: number | undefined;
  hasBus: 'bus' | 'port' | undefined;
  makes: { kind: 'usb'; ports: number } | { kind: 'scsi' } | undefined;
  negotiates: boolean;
}

const words = (text = '') => text.split(' ').filter((word) => word !== '');
const inBytes = (blocks: Readonly<Record<string, number>> = {}) =>
  Object.entries(blocks).map(([name, kib]) => [name, kib * KIB] as const);

/** By QEMU's name of the kind. */
export const DEVICE_TYPES: ReadonlyMap<string, DeviceType> = new Map(
  ROWS.map(([type, bus, sections, details = {}]) => {
    const { id, apart, blocks, blocksApart, hasBus, ports, scsi, negotiates } = details;
    const makes =
      ports === undefined ? (scsi ? ({ kind: 'scsi' } as const) : undefined) : ({ kind: 'usb', ports } as const);
    return [
      type,
      {
        bus,
        sections: words(sections),
        apart: words(apart),
        blocks: inBytes(blocks),
        blocksApart: inBytes(blocksApart),
        pciId: id,
        hasBus,
        makes,
        negotiates: negotiates === true,
      },
    ];
  }),
);
