import { bool, text, u8 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { type DeviceConfig, placesConfig } from '../codec/device-config.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';

/** By number; as settings call them. */
export const IDE_CHIPS = ['PIIX3', 'PIIX4', 'ICH6'] as const;
/** By channel and drive: 2 × channel + drive. */
const PLACES = ['primary master', 'primary slave', 'secondary master', 'secondary slave'] as const;

const drive = defineStruct('Drive of an IDE channel, piix3ide versions 20–22', 'units-compared.md', {
  attached: { kind: bool, doc: 'a disk or drive is attached' },
  serialNumber: { kind: text(64), doc: 'only logged' },
  firmware: { kind: text(64), doc: 'only logged' },
  model: { kind: text(128), doc: 'only logged' },
});

/** @param attached numbers of places, 2 × channel + drive */
export function ideConfig(chip: string, attached: ReadonlySet<number>): DeviceConfig {
  return { chip, ...placesConfig(PLACES, (i) => attached.has(i)) };
}

export const ideRow = comparedRow('piix3ide', versions(20, 22), (cursor) => {
  const chip = u8.read(cursor);
  const attached = new Set<number>();
  for (let place = 0; place < PLACES.length; place++) {
    if (place % 2 === 0) bool.read(cursor);
    if (drive.read(cursor).attached) attached.add(place);
  }
  return ideConfig(IDE_CHIPS[chip] ?? String(chip), attached);
});
