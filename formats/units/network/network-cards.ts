import type { Cursor } from '../../binary/cursor.ts';
import { bytes, u8, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { comparedRow, type UnitRow, versions } from '../codec/unit-row.ts';
import { E1000_CHIPS, e1000Codec, PCNET_TYPES, pcnetCodec } from './codecs.ts';

const e1000Head = defineStruct('Start of unit e1000, versions 4–6', 'units-compared.md', {
  mac: { kind: bytes(6), doc: 'only logged' },
  chip: { kind: u32, doc: '0 82540EM, 1 82543GC, 2 82545EM' },
});

const pcnetConfig = defineStruct('Unit pcnet, version 10, from its start', 'units-compared.md', {
  registers: { kind: bytes(469), doc: 'registers of the card' },
  mac: { kind: bytes(6), doc: 'only logged' },
  type: { kind: u8, doc: '0 Am79C970A, 1 Am79C973, 2 Am79C960' },
});

/** @param model as settings call it */
export function networkCardConfig(model: string): DeviceConfig {
  return { model };
}

function readE1000(cursor: Cursor): DeviceConfig {
  return named(E1000_CHIPS, e1000Head.read(cursor).chip);
}

export const networkCardRows: readonly UnitRow[] = [
  comparedRow('e1000', versions(4, 5), readE1000),
  comparedRow('e1000', versions(6), readE1000, e1000Codec),
  comparedRow('pcnet', versions(10), (cursor) => named(PCNET_TYPES, pcnetConfig.read(cursor).type), pcnetCodec),
];

function named(models: readonly string[], number: number): DeviceConfig {
  return networkCardConfig(models[number] ?? String(number));
}
