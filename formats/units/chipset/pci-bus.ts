import { Cursor, OutOfBytes } from '../../binary/cursor.ts';
import { END_OF_LIST } from '../../binary/markers.ts';
import { entryOf } from '../../entry-of.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { collected, type UnitRow, versions } from '../codec/unit-row.ts';
import {
  EXTENDED_CONFIG_SIZE,
  findPciDevices,
  PCI_CONFIG_SIZE,
  PCI_LIMIT,
  type PCI_UNITS,
  type PciDevice,
  readPciDevice,
} from './pci.ts';
import { ich9BridgeCodec, ich9BusCodec, piix3BusCodec, REGIONS } from './pci-codec.ts';

/** A device on the first PCI bus. */
export interface PciSlot extends PciDevice {
  /** Device and function: 8 × device + function. */
  devfn: number;
  /** Size of each region in bytes; absent in versions that do not tell. */
  sizes?: number[];
}

/** Size of each bus's own state before its devices, by version. Source: units-compared.md. */
const HEADS: Record<string, Record<number, number>> = {
  pci: { 2: 4 + 1, 3: 4 + 1 + 4 * 4 + 8 * 4 + 8, 4: 4 + 1 + 4 * 4 + 8 * 4 + 8 },
  ich9pci: { 2: 4 + 8 * 4, 3: 4 + 8 * 4, 4: 4 + 8 * 4 },
};

/**
 * All devices of the bus, ascending. @param unit `pci` or `ich9pci` @returns undefined if the payload does not have the
 * layout of its version
 */
export function readPciBus(payload: Uint8Array, unit: string, version: number): PciSlot[] | undefined {
  const head = entryOf(HEADS, unit)?.[version];
  if (head === undefined) return undefined;
  return unlessCut(() => {
    const cursor = new Cursor(payload);
    cursor.take(head);
    return cursor.u32() === END_OF_LIST ? readSlots(cursor, unit === 'ich9pci', version) : undefined;
  });
}

/** All devices behind a bridge of ICH9, whose bus has no state of its own. */
export function readPciBridge(payload: Uint8Array, version: number): PciSlot[] | undefined {
  return unlessCut(() => readSlots(new Cursor(payload), true, version));
}

function unlessCut<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof OutOfBytes) return undefined;
    throw error;
  }
}

function readSlots(cursor: Cursor, isIch9: boolean, version: number): PciSlot[] | undefined {
  const slots: PciSlot[] = [];
  for (let devfn = cursor.u32(), last = -1; devfn !== END_OF_LIST; last = devfn, devfn = cursor.u32()) {
    if (devfn > 255 || devfn <= last) return undefined;
    const size = isIch9 && version >= 4 ? cursor.u32() : PCI_CONFIG_SIZE;
    if (size !== PCI_CONFIG_SIZE && size !== EXTENDED_CONFIG_SIZE) return undefined;
    const device = readPciDevice(cursor.view(size));
    if (isIch9) skipIch9(cursor, version);
    else cursor.u32();
    slots.push({ devfn, ...device, ...(hasSizes(isIch9, version) ? { sizes: readSizes(cursor) } : {}) });
  }
  return slots;
}

/** Skips flags, level of the interrupt pin, offsets of MSI and MSI-X, and the page of MSI-X. */
function skipIch9(cursor: Cursor, version: number): void {
  cursor.take(8);
  const msix = cursor.view(4)[2];
  cursor.take(version >= 4 ? cursor.u32() : msix === 0 ? 0 : PAGE_SIZE);
}

function hasSizes(isIch9: boolean, version: number): boolean {
  return version >= (isIch9 ? 3 : 4);
}

function readSizes(cursor: Cursor): number[] {
  return Array.from({ length: REGIONS }, () => {
    cursor.u8();
    return cursor.u64();
  });
}

function busRow(unit: (typeof PCI_UNITS)[number], known: Partial<UnitRow>): UnitRow {
  const facts = collected(PCI_LIMIT, (payload, { version }) => {
    const pciSlots = readPciBus(payload, unit, version);
    return { pciDevices: findPciDevices(payload), pciSlots };
  });
  return { unit, instance: 0, facts, ...known };
}

const bridgeRow: UnitRow = {
  unit: 'ich9pcibridge',
  versions: versions(4),
  codec: ich9BridgeCodec,
  facts: collected(PCI_LIMIT, (payload, { version }) => ({
    behindBridge: readPciBridge(payload, version),
  })),
};

/** PIIX3's and ICH9's bus. */
export const pciRows: readonly UnitRow[] = [
  busRow('pci', { versions: versions(3, 4), codec: piix3BusCodec }),
  busRow('ich9pci', { versions: versions(4), codec: ich9BusCodec }),
  bridgeRow,
  busRow('pci', {}),
  busRow('ich9pci', {}),
];
