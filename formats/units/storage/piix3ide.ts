import type { Cursor } from '../../binary/cursor.ts';
import { bool, u8 } from '../../binary/kinds.ts';
import { type DeviceConfig, placesConfig } from '../codec/device-config.ts';
import { comparedRow, type UnitRow, versions } from '../codec/unit-row.ts';
import { ideCodec, ideDevice, mediumText } from './ata-codecs.ts';

/** Chips by number, with their names in settings. */
export const IDE_CHIPS = ['PIIX3', 'PIIX4', 'ICH6'] as const;
/** Places by number: 2 × channel + drive. */
export const IDE_PLACES = ['primary master', 'primary slave', 'secondary master', 'secondary slave'] as const;

/** @param attached numbers of places, 2 × channel + drive */
export function ideConfig(chip: string, attached: ReadonlySet<number>): DeviceConfig {
  return { chip, ...placesConfig(IDE_PLACES, (i) => attached.has(i)) };
}

function readConfig(cursor: Cursor): DeviceConfig {
  const chip = u8.read(cursor);
  const attached = new Set<number>();
  for (let place = 0; place < IDE_PLACES.length; place++) {
    if (place % 2 === 0) bool.read(cursor);
    if (ideDevice.read(cursor).attached) attached.add(place);
  }
  return ideConfig(IDE_CHIPS[chip] ?? String(chip), attached);
}

export const ideRows: readonly UnitRow[] = [
  comparedRow('piix3ide', versions(20, 21), readConfig),
  comparedRow('piix3ide', versions(22), readConfig, ideCodec, ({ channels, controllers }) => ({
    media: IDE_PLACES.flatMap((place, i) => {
      const { attached, model } = channels[i >> 1].devices[i & 1];
      return attached ? [{ place, what: mediumText(controllers[i >> 1].drives[i & 1].atapi, model) }] : [];
    }),
  })),
];
