import type { Cursor } from '../binary/cursor.ts';
import { serialUnit } from './chipset/serial.ts';
import { tpmUnit } from './chipset/tpm.ts';
import { apicUnit } from './cpu/apic.ts';
import type { ConfigUnit, DeviceConfig } from './device-config.ts';
import { screenUnits } from './display/screen.ts';
import { networkCardUnits } from './network/network-cards.ts';
import { ahciUnit } from './storage/ahci.ts';
import { nvmeUnit } from './storage/nvme.ts';
import { ideUnit } from './storage/piix3ide.ts';
import { scsiUnits } from './storage/scsi.ts';

const CONFIG_UNITS: readonly ConfigUnit[] = [apicUnit, ahciUnit, ideUnit, nvmeUnit, ...scsiUnits, serialUnit, tpmUnit, ...networkCardUnits, ...screenUnits];

/** Units whose loader compares something of which nothing more is known than that. */
const NOT_KNOWN: readonly string[] = ['parallel'];

/** Whether the loader of such a unit compares what settings tell. */
export function isCompared(unit: string): boolean {
  return NOT_KNOWN.includes(unit) || CONFIG_UNITS.some((own) => own.unit === unit);
}

/** Reads what is compared of a unit; undefined where its version is laid out in a way that is not known, or nothing is compared. */
export function configReader(unit: string, version: number): ((cursor: Cursor) => DeviceConfig) | undefined {
  const found = CONFIG_UNITS.find((own) => own.unit === unit && version >= own.versions[0] && version <= own.versions[1]);
  return found && ((cursor) => found.read(cursor));
}
