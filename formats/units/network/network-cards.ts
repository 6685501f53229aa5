import type { Cursor } from '../../binary/cursor.ts';
import { startOf } from '../../binary/struct.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { comparedRow, type Told, type UnitRow, versions } from '../codec/unit-row.ts';
import { E1000_CHIPS, e1000, e1000Codec, macText, PCNET_TYPES, pcnet, pcnetCodec } from './codecs.ts';

/** The start of unit e1000, versions 4 to 6. */
const e1000Head = startOf(e1000, 'chip');
const pcnetHead = startOf(pcnet, 'type');

/** @param model name of the model in settings */
export function networkCardConfig(model: string): DeviceConfig {
  return { model };
}

function readE1000(cursor: Cursor): DeviceConfig {
  return named(E1000_CHIPS, e1000Head.read(cursor).chip);
}

export const networkCardRows: readonly UnitRow[] = [
  comparedRow('e1000', versions(4, 5), readE1000),
  comparedRow('e1000', versions(6), readE1000, e1000Codec, ({ mac, chip }) => card(E1000_CHIPS, chip, mac)),
  comparedRow(
    'pcnet',
    versions(10),
    (cursor) => named(PCNET_TYPES, pcnetHead.read(cursor).type),
    pcnetCodec,
    ({ mac, type }) => card(PCNET_TYPES, type, mac),
  ),
];

function card(models: readonly string[], number: number, mac: Uint8Array): Told {
  return { model: models[number] ?? String(number), mac: macText(mac) };
}

function named(models: readonly string[], number: number): DeviceConfig {
  return networkCardConfig(models[number] ?? String(number));
}
