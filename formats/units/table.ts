import type { UnitHeader } from '../ssm/container.ts';
import type { PayloadReader } from '../ssm/payload.ts';
import { ac97Row } from './audio/ac97.ts';
import { hdaRow } from './audio/hda.ts';
import { sb16Row } from './audio/sb16.ts';
import { interruptControllerRows } from './chipset/interrupt-controllers.ts';
import { legacyRows } from './chipset/legacy.ts';
import { type GuestClock, rtcRows } from './chipset/mc146818.ts';
import { parallelRow } from './chipset/parallel.ts';
import type { PciDevice } from './chipset/pci.ts';
import { type PciSlot, pciRows } from './chipset/pci-bus.ts';
import { serialRow } from './chipset/serial.ts';
import { timerRows } from './chipset/timers.ts';
import { tpmRow } from './chipset/tpm.ts';
import type { UnitCodec } from './codec/codec.ts';
import type { UnitField } from './codec/decode.ts';
import type { DeviceConfig } from './codec/device-config.ts';
import { type Told, type UnitRow, versions } from './codec/unit-row.ts';
import { apicRow } from './cpu/apic.ts';
import { type Cpum, cpumRows } from './cpu/cpum.ts';
import { emRow } from './cpu/em.ts';
import { type GimProvider, gimRow } from './cpu/gim.ts';
import { smallCpuRows } from './cpu/small.ts';
import { tmRow } from './cpu/tm.ts';
import { trpmRow } from './cpu/trpm.ts';
import { vmmRow } from './cpu/vmm.ts';
import { screenRows } from './display/screen.ts';
import { buildInfoRow } from './machine/build-info.ts';
import { consoleDataCodec } from './machine/codecs.ts';
import { firmwareRow } from './machine/firmware.ts';
import { hgcmRow } from './machine/hgcm.ts';
import { liveControlRow } from './machine/live-control.ts';
import { type MemorySizes, mmRows } from './machine/mm.ts';
import { type PdmDevice, pdmRows } from './machine/pdm.ts';
import { vmmDevRows } from './machine/vmm-dev.ts';
import { networkCardRows } from './network/network-cards.ts';
import { virtioNetRow } from './network/virtio-net.ts';
import { ahciRow } from './storage/ahci.ts';
import { blockCacheRow } from './storage/block-cache.ts';
import { nvmeRow } from './storage/nvme.ts';
import { ideRows } from './storage/piix3ide.ts';
import { scsiRows } from './storage/scsi.ts';
import { virtioScsiRow } from './storage/virtio-scsi.ts';
import { ehciRow } from './usb/ehci.ts';
import { massStorageRow } from './usb/mass-storage.ts';
import { ohciRow } from './usb/ohci.ts';
import { xhciRow } from './usb/xhci.ts';

/** Facts of a state from its units. */
export interface UnitFacts {
  /** Facts of unit SSM about the build that saved the machine, by name. */
  buildInfo: Record<string, string>;
  /** Contents of unit mm; absent where the unit is missing or could not be read. */
  mm?: MemorySizes;
  /** Contents of unit cpum; absent where the unit is missing or could not be read. */
  cpum?: Cpum;
  /** APIC base MSR by CPU; empty where the unit could not be read. */
  apicBases: bigint[];
  /** Configurations that loaders compare, by `name/instance`; undefined if the layout is not known. */
  configs: Map<string, DeviceConfig | undefined>;
  /** Facts about devices for people, by `name/instance`. */
  told: Map<string, Told>;
  /** The machine had 3D acceleration with VMSVGA; absent if the state does not tell. */
  has3d?: boolean;
  /** Time of the guest's clock; absent where its unit could not be read, or shows no time. */
  guestClock?: GuestClock;
  /** Services of the host that the guest additions use, as far as they could be read. */
  hostServices?: readonly string[];
  /** Paravirtualisation that the guest sees; absent where the unit is missing. */
  gimProvider?: GimProvider;
  /** All devices that the machine had, where the state lists them. */
  devices?: readonly PdmDevice[];
  /** All devices on the first PCI bus; absent where the unit could not be read. */
  pciSlots?: readonly PciSlot[];
  /** Devices behind bridges, by the instance of the bridge. */
  pciBridges: Map<number, readonly PciSlot[]>;
  /** Devices with memory of their own, by VirtualBox's name. */
  pciDevices: Map<string, PciDevice>;
}

/** All units that savkit knows, except pgm, which holds guest memory and has a folder of its own. */
export const UNIT_TABLE: readonly UnitRow[] = [
  ...[buildInfoRow, liveControlRow, ...mmRows, ...cpumRows, apicRow, gimRow, ...pdmRows],
  ...[trpmRow, emRow, tmRow, vmmRow, ...smallCpuRows],
  ...[...pciRows, ...interruptControllerRows, ...timerRows, ...rtcRows, ...legacyRows, serialRow, parallelRow, tpmRow],
  ...[ahciRow, ...ideRows, nvmeRow, ...scsiRows, virtioScsiRow, blockCacheRow],
  ...[...networkCardRows, virtioNetRow, ...screenRows, hgcmRow, firmwareRow],
  ...[hdaRow, ac97Row, sb16Row, ohciRow, ehciRow, xhciRow, massStorageRow],
  { unit: 'ConsoleData', versions: versions(0x10001, 0x10002), codec: consoleDataCodec },
  ...vmmDevRows,
];

/** Facts before any unit was read. */
export function noFacts(): UnitFacts {
  return {
    buildInfo: {},
    apicBases: [],
    configs: new Map(),
    told: new Map(),
    pciDevices: new Map(),
    pciBridges: new Map(),
  };
}

/**
 * Reads a unit's facts. @throws errors of the payload's reader; FormatError, UnsupportedError for units that must be as
 * expected
 */
export async function readFacts(unit: UnitHeader, payload: PayloadReader, facts: UnitFacts): Promise<void> {
  const row = rowOf(unit);
  const isRead = unit.pass === 'final' || row?.everyPass === true;
  const key = `${unit.name}/${unit.instance}`;
  if (unit.pass === 'final' && isCompared(unit.name)) facts.configs.set(key, undefined);
  if (!isRead || !row?.facts) return;
  const { config, told, behindBridge, ...found } = (await row.facts(payload, unit)) as Partial<
    Omit<UnitFacts, 'told'>
  > & {
    config?: DeviceConfig;
    told?: Told;
    behindBridge?: readonly PciSlot[];
  };
  if (config) facts.configs.set(key, config);
  if (told) facts.told.set(key, told);
  if (behindBridge) facts.pciBridges.set(unit.instance, behindBridge);
  Object.assign(facts, found);
}

/**
 * The payload of a unit in pass 0 of a live save, from that of the final pass; undefined for units without one, and if
 * it cannot be derived.
 */
export function livePassOf(
  unit: { name: string; instance: number; version: number },
  payload: Uint8Array,
): Uint8Array | undefined {
  return rowOf(unit)?.livePass?.(payload, unit.version);
}

/** Whether the loader of such a unit compares its configuration with the machine's. */
export function isCompared(unit: string): boolean {
  return UNIT_TABLE.some((row) => row.unit === unit && row.isCompared);
}

/** The row of a unit of this version. */
export function rowOf(unit: { name: string; instance: number; version: number }): UnitRow | undefined {
  return UNIT_TABLE.find(
    (row) =>
      row.unit === unit.name &&
      (row.instance ?? unit.instance) === unit.instance &&
      (row.versions?.includes(unit.version) ?? true),
  );
}

/** Codec for the whole payload of a unit's final pass; undefined if its layout is not known. */
export function codecFor({ name, version }: { name: string; version: number }): UnitCodec | undefined {
  return UNIT_TABLE.find((row) => row.unit === name && row.codec && (row.versions?.includes(version) ?? true))?.codec;
}

/** A unit whose layout is known. */
export interface DecodedUnit {
  fields: readonly UnitField[];
  /** Number of bytes whose layout is not known. */
  opaqueSize: number;
}

/**
 * All fields of a unit; undefined if its layout is not known.
 * @throws FormatError `not-as-laid-out`
 */
export function decodeUnit(
  unit: Pick<UnitHeader, 'name' | 'version' | 'pass'>,
  payload: Uint8Array,
): DecodedUnit | undefined {
  const codec = unit.pass === 'final' ? codecFor(unit) : undefined;
  if (!codec) return undefined;
  const fields = codec.fields(codec.decode(payload, unit.version), unit.version);
  const opaqueSize = fields.reduce((sum, { isOpaque, size }) => (isOpaque ? sum + size : sum), 0);
  return { fields, opaqueSize };
}
