import { hex } from '../../../formats/errors.ts';
import {
  APIC_LINES,
  BASE_ADDRESSES,
  ich9BridgeCodec,
  ich9BusCodec,
  LEGACY_LINES,
  piix3BusCodec,
  placeName,
} from '../../../formats/units/chipset/pci-codec.ts';
import { pciName } from '../../../formats/units/chipset/pci-ids.ts';
import type { UnitCodec } from '../../../formats/units/codec/codec.ts';
import { BRIDGE } from '../machine-facts/pci-bridges.ts';
import { VGA } from './devices.ts';
import { type Merge, refused } from './merge.ts';

/** Data of a device that both buses keep. */
interface Slot {
  devfn: number;
  config: Uint8Array;
  pinLevel: number;
  regions?: { type: number; size: number }[];
}

interface Bus {
  legacyLevels?: number[];
  /** Absent behind a bridge, which passes interrupts on to the first bus. */
  apicLevels?: number[];
  devices: Slot[];
}

/** Merges the PCI buses: devices that stay keep the state's entries, others get the machine's. */
export function mergeBus(merge: Merge): void {
  merged(merge, 'pci/0', piix3BusCodec);
  merged(merge, 'ich9pci/0', ich9BusCodec);
  for (const unit of merge.own.units.keys())
    if (unit.startsWith(`${BRIDGE}/`) && merge.donor.units.has(unit)) merged(merge, unit, ich9BridgeCodec);
}

function merged(merge: Merge, unit: string, codec: UnitCodec<Bus>): void {
  if (!merge.own.units.has(unit)) return;
  const own = merge.value(unit, codec);
  const wanted = merge.donorValue(unit, codec);
  if (!own || !wanted) throw refused(`unit ${unit} of ${own ? merge.donor.name : merge.own.name} could not be read`);
  const before = new Map(own.devices.map((slot) => [slot.devfn, slot]));
  const after: Slot[] = [];
  for (const there of wanted.devices) {
    const here = before.get(there.devfn);
    // VBoxVGA and VBoxSVGA have one identity on the bus, but different regions.
    const isReplaced = merge.replaced.has(VGA) && knownName(there) === 'vga';
    const stays = here !== undefined && isSameDevice(here, there) && !isReplaced;
    if (!stays) {
      if (here) release(own, here);
      merge.note('seen', unit, `PCI device ${placeName(there.devfn)} ${nameOf(there)} is new to the guest`);
      after.push(there);
      continue;
    }
    if (idOf(here) !== idOf(there))
      merge.note(
        'kept',
        unit,
        `PCI device ${placeName(here.devfn)}: the guest goes on seeing ${idText(here)}, until its next reset`,
      );
    resize(merge, unit, here, there);
    after.push(here);
  }
  for (const here of own.devices) {
    if (after.includes(here) || wanted.devices.some(({ devfn }) => devfn === here.devfn)) continue;
    release(own, here);
    merge.note(
      'seen',
      unit,
      `PCI device ${placeName(here.devfn)} ${nameOf(here)} is gone: the guest reads nothing there`,
    );
  }
  own.devices = after;
}

/** Gives regions of a device the machine's sizes: the region of graphics depends on the size of video memory. */
function resize(merge: Merge, unit: string, here: Slot, there: Slot): void {
  for (const [i, region] of (here.regions ?? []).entries()) {
    const size = there.regions?.[i]?.size;
    if (size === undefined || size === region.size) continue;
    const address = addressOf(here, i);
    if (size > 0 && address % size !== 0)
      throw refused(
        `region ${i} of PCI device ${placeName(here.devfn)} would have ${size} bytes, but the guest has put it at ` +
          `${hex(address)}; change the size back`,
      );
    merge.note('kept', unit, `region ${i} of PCI device ${placeName(here.devfn)}: ${region.size} bytes become ${size}`);
    here.regions?.splice(i, 1, { type: region.type, size });
  }
}

const ROM_ADDRESS = 0x30;
const ROM_REGION = 6;

function addressOf({ config }: Slot, region: number): number {
  const at = region === ROM_REGION ? ROM_ADDRESS : BASE_ADDRESSES + 4 * region;
  return (viewOf(config).getUint32(at, true) & ~0xf) >>> 0;
}

const PIN = 0x3d;

/** Lowers the interrupt line of a removed device, as nothing else would lower it. */
function release({ legacyLevels, apicLevels }: Bus, { devfn, config, pinLevel }: Slot): void {
  const pin = config[PIN];
  if (pinLevel !== 1 || pin === 0) return;
  if (!apicLevels)
    throw refused(
      `PCI device ${placeName(devfn)} behind a bridge holds its interrupt line; give it back, or save while it is idle`,
    );
  const slot = devfn >>> 3;
  lower(legacyLevels, (slot + pin - 2) & (LEGACY_LINES - 1));
  lower(apicLevels, (slot + pin - 1) & (APIC_LINES - 1));
}

function lower(levels: number[] | undefined, line: number): void {
  if (levels && levels[line] > 0) levels[line]--;
}

/** Whether the device stays. The loader compares only the vendor, but a device of another kind never stays. */
function isSameDevice(a: Slot, b: Slot): boolean {
  const vendor = (slot: Slot) => viewOf(slot.config).getUint16(0, true);
  return (
    vendor(a) === vendor(b) && (idOf(a) === idOf(b) || (knownName(a) !== undefined && knownName(a) === knownName(b)))
  );
}

function idOf({ config }: Slot): number {
  return viewOf(config).getUint32(0, true);
}

function idText({ config }: Slot): string {
  const two = (at: number) => viewOf(config).getUint16(at, true).toString(16).padStart(4, '0');
  return `${two(0)}:${two(2)}`;
}

function knownName({ config }: Slot): string | undefined {
  const view = viewOf(config);
  return pciName(view.getUint16(0, true), view.getUint16(2, true));
}

function nameOf(slot: Slot): string {
  return knownName(slot) ?? idText(slot);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
