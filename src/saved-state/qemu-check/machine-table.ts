import { isOn } from './guest-settings.ts';

// Sections of QEMU's machine types pc and q35 without any added device, as QEMU 7.2.22 and 10.0.2 saved them (TCG).

/** A chipset of QEMU's x86 machines. */
export interface QemuChipset {
  /** Name without a version, for the newest version. */
  alias: string;
  /** Pattern of its machine types, with the version as the first group. */
  types: RegExp;
  /** Sections of all machines with this chipset; a section is listed once for each instance. */
  sections: readonly string[];
  /** Slots of the PCI bus that are taken. */
  slots: readonly number[];
  /** Name of the PCI bus. */
  bus: string;
  /** Devices for `usb=on`, with their places. */
  usb: readonly (readonly [type: string, place: string])[];
  /** Network card where none is named. */
  card: string;
}

const COMMON =
  'timer fw_cfg PCIHost PCIBUS dma dma i8259 i8259 ioapic hpet mc146818rtc i8254 pcspk ps2kbd ps2mouse pckbd ' +
  'vmmouse port92 globalstate acpi_build i2c_bus';

export const CHIPSETS: readonly QemuChipset[] = [
  {
    alias: 'pc',
    types: /^pc(?:-i440fx)?-((?:[2-9]|\d\d)\.\d+)$/,
    sections: `${COMMON} 0000:00:00.0/I440FX 0000:00:01.0/PIIX3 fdc 0000:00:01.1/ide 0000:00:01.3/piix4_pm`.split(' '),
    slots: [0, 1],
    bus: 'pci.0',
    usb: [['piix3-usb-uhci', '01.2']],
    card: 'e1000',
  },
  {
    alias: 'q35',
    types: /^pc-q35-(\d+\.\d+)(?:\.\d+)?$/,
    sections: `${COMMON} 0000:00:00.0/mch 0000:00:1f.0/ICH9LPC 0000:00:1f.2/ich9_ahci 0000:00:1f.3/ich9_smb`.split(' '),
    slots: [0, 0x1f],
    bus: 'pcie.0',
    usb: [
      ['ich9-usb-ehci1', '1d.7'],
      ['ich9-usb-uhci1', '1d.0'],
      ['ich9-usb-uhci2', '1d.1'],
      ['ich9-usb-uhci3', '1d.2'],
    ],
    card: 'e1000e',
  },
];

/** Sections and blocks of memory that go with a property of the machine. */
export interface MachinePart {
  /** Property that switches the part; on by default. */
  property: string;
  /** Only machines of this chipset have it. */
  chipset?: string;
  sections: RegExp;
  blocks?: RegExp;
}

export const PARTS: readonly MachinePart[] = [
  { property: 'acpi', sections: /^acpi_build$/, blocks: /^\/rom@etc\/(acpi|table-loader)/ },
  { property: 'acpi', chipset: 'pc', sections: /^(i2c_bus|.*\/piix4_pm)$/ },
  { property: 'smbus', chipset: 'q35', sections: /^(i2c_bus|.*\/ich9_smb)$/ },
  { property: 'sata', chipset: 'q35', sections: /\/ich9_ahci$/ },
  { property: 'hpet', sections: /^hpet$/ },
  { property: 'vmport', sections: /^vmmouse$/ },
  { property: 'pit', sections: /^(i8254|pcspk)$/ },
  { property: 'pic', sections: /^i8259$/ },
  { property: 'i8042', sections: /^(ps2kbd|ps2mouse|pckbd|vmmouse|port92)$/ },
];

/** Properties of the machine that do not change the contents of its state. */
export const WITHOUT_EFFECT = new Set(
  `type accel memory-backend graphics smm suppress-vmdesc default-bus-bypass-iommu kernel-irqchip dump-guest-core
   mem-merge usb nvdimm smbus sata max-ram-below-4g firmware pflash0 pflash1 smbios-entry-point-type kernel initrd
   append dtb phandle-start enforce-aligned-dimm hmat size max-fw-size`.split(/\s+/),
);

/** Whether the machine has this part. */
export function hasPart(
  { property, chipset }: MachinePart,
  { alias }: QemuChipset,
  machine: ReadonlyMap<string, string>,
): boolean {
  if (chipset !== undefined && chipset !== alias) return true;
  const value = machine.get(property);
  return value === 'auto' || isOn(value, true);
}
