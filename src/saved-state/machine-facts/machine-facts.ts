import type { Release } from '../../../formats/ssm/container.ts';
import type { PciSlot } from '../../../formats/units/chipset/pci-bus.ts';
import type { DeviceConfig } from '../../../formats/units/codec/device-config.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import type { GimProvider } from '../../../formats/units/cpu/gim.ts';
import type { PdmDevice } from '../../../formats/units/machine/pdm.ts';
import type { SavedState } from '../reading/state.ts';
import { USB_STORAGE_UNIT } from './device-names.ts';

/** Chipsets of VirtualBox. */
export type Chipset = 'piix3' | 'ich9';
export const VGA_MODELS = ['vboxvga', 'vmsvga', 'vboxsvga'] as const;
/** Graphics cards of VirtualBox. */
export type VgaModel = (typeof VGA_MODELS)[number];

/** Facts that a state demands of a machine, or that a machine offers. Absent facts are unknown. */
export interface MachineFacts {
  /** Name in messages. */
  name: string;
  /** VirtualBox's version. */
  release?: Pick<Release, 'major' | 'minor'> & Partial<Release>;
  /** Bytes. */
  ramSize?: number;
  /** Size of the hole below 4 GiB, in bytes. */
  ramHole?: number;
  /** Number of CPUs. */
  cpuCount?: number;
  /** Chipset. */
  chipset?: Chipset;
  /** CPUID of the guest, and of the host that saved the state. */
  cpuid?: CpuidPart;
  /** The guest can run virtual machines itself. */
  nestedVirtualisation?: boolean;
  /** Paravirtualisation interface of the guest. */
  paravirtualisation?: GimProvider;
  /** The graphics card. */
  vga?: VgaModel;
  /** Bytes of video memory. */
  vramSize?: number;
  /** 3D acceleration of VMSVGA; states of other adapters do not depend on it. */
  has3d?: boolean;
  /** Descriptions of ROMs, the only part of them that the loader compares. */
  roms?: readonly string[];
  /** Memory of devices. */
  mmio2?: readonly { device: string; instance: number; region: number; size: number; description: string }[];
  /** All devices. */
  devices?: readonly PdmDevice[];
  /** USB devices with a unit, which the list of devices does not name. */
  usbDevices?: readonly PdmDevice[];
  /** Devices on the first PCI bus. If absent, devices are at their usual places. */
  pciSlots?: readonly PciSlot[];
  /** Devices behind bridges, by the instance of the bridge; settings do not tell. */
  pciBridges?: ReadonlyMap<number, readonly PciSlot[]>;
  /** Configuration of each device, by `name/instance`; undefined if unknown. */
  configs?: ReadonlyMap<string, DeviceConfig | undefined>;
  /** The loader only logs features of the guest's CPU that the host lacks. */
  takesMissingFeatures?: boolean;
  /** Names of settings that change VirtualBox's parts in ways that savkit does not judge. */
  internalSettings?: readonly string[];
}

const VGA_VENDORS: Record<number, VgaModel> = { 33006: 'vboxvga', 5549: 'vmsvga' };
/** Region of VMSVGA and VBoxSVGA in which the guest leaves its commands. */
export const FIFO_REGION = 2;

/** The machine that a state was saved from, as far as the state tells. */
export function machineOf(state: SavedState, name: string): MachineFacts {
  const { pgm, cpum, header, devices, gimProvider, units, pciSlots, pciBridges, configs, has3d } = state;
  const ramSize = pgm?.ramSize ?? state.mm?.ramSize;
  const cpuCount = cpum?.cpus.length ?? pgm?.basic?.cpus.length;
  const bus = units.find((unit) => unit.name === 'pci' || unit.name === 'ich9pci');
  const vram = pgm?.config?.mmio2.find(
    ({ device, region, description }) => device === 'vga' && (description === 'VRam' || region === 0),
  );
  return {
    name,
    release: header.release,
    ramSize,
    ramHole: pgm?.config?.ramHole,
    cpuCount,
    chipset: bus && (bus.name === 'pci' ? 'piix3' : 'ich9'),
    paravirtualisation: gimProvider,
    vga: vgaModelOf(state),
    vramSize: vram?.size,
    roms: pgm?.config?.roms.map(({ description }) => description),
    mmio2: pgm?.config?.mmio2,
    devices,
    usbDevices: units.filter((unit) => unit.name === USB_STORAGE_UNIT),
    pciSlots,
    pciBridges,
    has3d,
    nestedVirtualisation: cpum?.nestedVirtualisation,
    cpuid: cpum?.cpuid,
    configs,
  };
}

function vgaModelOf({ pciDevices, pciSlots }: SavedState): VgaModel | undefined {
  const { vendorId, deviceId } = pciDevices.get('vga') ?? {};
  const model = VGA_VENDORS[vendorId ?? 0];
  const slot = pciSlots?.find((each) => each.vendorId === vendorId && each.deviceId === deviceId);
  // On the bus, VBoxSVGA has the identity of VBoxVGA.
  return model === 'vboxvga' && (slot?.sizes?.[FIFO_REGION] ?? 0) > 0 ? 'vboxsvga' : model;
}
