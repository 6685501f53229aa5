/**
 * Versions of sections that QEMU 7.2.22 and 10.0.2 write, which are the newest that they read: names of sections,
 * without the place of the device, by version.
 */
const VERSIONS: Readonly<Record<number, string>> = {
  0: `bochs-display i82801b11_bridge ib700_wdt megasas megasas-gen2 mptsas pci_bridge pcie-pci-bridge pvscsi tulip
    vmmouse vmware_vga`,
  1: `ICH9LPC PCIBUS PCIHost acpi-erst acpi_build cpu_common cs4231a dma e1000e globalstate i2c-ddc i2c_bus i8259
    ich9_ahci ich9_smb intel-hda ioh-3240-express-root-port ipmi-bmc-extern ipmi-bmc-sim kvm-tpr-opt lsiscsi mch
    ohci parallel_isa pci-serial pci-serial-multi pcie-root-port pcspk pflash_cfi01 port92 pvpanic-pci ramfb-dev
    sb16 scsi-disk sdhci tpci200 usb-ccid usb-host usb-hub usb-kbd usb-ptr usb-storage virtio-9p virtio-balloon
    virtio-gpu virtio-input virtio-rng virtio-scsi vmcoreinfo vmgenid vmxnet3 xhci
    xio3130-express-downstream-port xio3130-express-upstream-port`,
  2: `cirrus_vga e1000 ehci es1370 fdc fw_cfg hda-audio hpet pciespscsi ps2mouse timer vga virtio-blk virtio-iommu
    virtio-vga`,
  3: `I440FX PIIX3 ac97 apic i8254 i82550 i82551 i82557a i82557b i82557c i82558a i82558b i82559a i82559b i82559c
    i82559er i82562 i82801 ide ioapic isa-ide mc146818rtc ne2000 pckbd pcnet piix4_pm ps2kbd serial uhci
    virtio-console`,
  4: `slirp`,
  5: `rtl8139`,
  11: `virtio-net`,
  12: `cpu`,
  21: `qxl`,
  10000: `i6300esb_wdt`,
  20061113: `eeprom`,
};

/** Sections whose versions differ: version in 7.2, version in 10.0. */
const CHANGED: Readonly<Record<string, readonly [number, number]>> = {};

const NEWEST: ReadonlyMap<string, number> = new Map(
  Object.entries(VERSIONS).flatMap(([version, names]) => names.split(/\s+/).map((name) => [name, Number(version)])),
);

/** Releases from which the table was made. */
const FIRST = 7.2;
const LAST = 10;

/**
 * The newest version of a section that a QEMU reads. A release before the first of the table may read fewer versions, a
 * release after the last may read more.
 * @param release `[10, 0]`; absent: any between the first and the last
 */
export function newestVersion(section: string, release: readonly number[] | undefined): number | undefined {
  const name = section.slice(section.lastIndexOf('/') + 1);
  const [major = LAST, minor = 0] = release ?? [];
  const at = major + minor / 10;
  const changed = Object.hasOwn(CHANGED, name) ? CHANGED[name] : undefined;
  if (at < FIRST || at > LAST + 0.9) return undefined;
  if (!changed) return NEWEST.get(name);
  return at <= FIRST ? changed[0] : at >= LAST ? changed[1] : undefined;
}
