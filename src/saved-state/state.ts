import type { Pass } from '../../formats/errors.ts';
import type { PgmBasic, PgmConfig } from '../../formats/pgm/head.ts';
import type { OldRange, PageTypeNumbering } from '../../formats/pgm/old-ranges.ts';
import type { ContainerHeader, UnitHeader } from '../../formats/ssm/container.ts';
import type { DirectoryEntry } from '../../formats/ssm/layouts.ts';
import type { GuestClock } from '../../formats/units/chipset/mc146818.ts';
import type { PciDevice } from '../../formats/units/chipset/pci.ts';
import type { PciSlot } from '../../formats/units/chipset/pci-bus.ts';
import type { Cpum } from '../../formats/units/cpu/cpum.ts';
import type { GimProvider } from '../../formats/units/cpu/gim.ts';
import type { DeviceConfig } from '../../formats/units/device-config.ts';
import type { MemorySizes } from '../../formats/units/machine/mm.ts';
import type { PdmDevice } from '../../formats/units/machine/pdm.ts';
import type { Finding } from './findings.ts';

/** What a reading of a whole saved state gives, but for the contents of memory. */
export interface SavedState {
  header: ContainerHeader;
  /** Bytes of the file, as far as it was read. */
  size: number;
  /** In file order; in a live save the same unit comes in several passes. */
  units: UnitSummary[];
  /** V2.0 */
  directory?: readonly DirectoryEntry[];
  buildInfo: Record<string, string>;
  mm?: MemorySizes;
  cpum?: Cpum;
  /** APIC base MSR by CPU; empty where the unit could not be read. */
  apicBases: bigint[];
  /** What loaders compare of units, by `name/instance`; undefined where it is laid out in a way that is not known. */
  configs: Map<string, DeviceConfig | undefined>;
  /** Of VMSVGA: the machine had 3D acceleration; absent where the state does not tell. */
  has3d?: boolean;
  /** Absent where the unit could not be read, or shows no time. */
  guestClock?: GuestClock;
  /** Services of the host that the guest additions use, as far as they could be read. */
  hostServices?: readonly string[];
  /** Paravirtualisation that the guest sees; absent where the unit is missing. */
  gimProvider?: GimProvider;
  /** All devices that the machine had, where the state lists them. */
  devices?: readonly PdmDevice[];
  /** All devices on the first PCI bus; absent where the unit could not be read. */
  pciSlots?: readonly PciSlot[];
  /** Devices with memory of their own, by VirtualBox's name. */
  pciDevices: Map<string, PciDevice>;
  pgm?: PgmSummary;
}

export interface UnitSummary extends UnitHeader {
  /** Bytes in the file, header included. */
  size: number;
  /** Bytes of the decoded payload. */
  payloadSize: number;
  findings: Finding[];
}

export interface PgmSummary {
  version: number;
  basic?: PgmBasic;
  /** Versions 10 and later. */
  config?: PgmConfig;
  /** Versions 6 to 9. */
  oldRanges: readonly OldRange[];
  /** Versions 7 to 9: which numbers the file has for page types. */
  pageTypes: PageTypeNumbering;
  /** Bytes of guest RAM; absent where no unit tells. */
  ramSize?: number;
  passes: PassSummary[];
  /** Protection of each ROM page by range id, as of the end of the state; 0 where no record named the page. */
  romProtection: Map<number, Uint8Array>;
  /** By range id: 1 for each ROM page that some record gives a shadow. */
  shadowPages: Map<number, Uint8Array>;
  /** Frames from 0xA0000 to 0xFFFFF that hold RAM, as releases before 6.1 have it. */
  lowHoleRam: Set<number>;
  /** RAM frames that some record names. */
  ramPages: number;
  /** Some RAM frame is named by more than one record. */
  ramRepeats: boolean;
}

/** One pass of the pgm unit; a plain save has one, `'final'`. */
export interface PassSummary {
  pass: Pass;
  /** Page records by `PageKind`. */
  records: number[];
  /** Bytes in the file. */
  size: number;
}
