import { Cursor } from '../../binary/cursor.ts';
import { bool, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { type ConfigFact, collected, type UnitRow, versions } from '../codec/unit-row.ts';

const APIC_LIMIT = 4 * 1024 * 1024;

/** By number; 1 is a machine without APIC. */
const MODES: Record<number, string> = { 1: 'none', 2: 'APIC', 3: 'x2APIC' };

const head = defineStruct('Start of unit apic, version 5', 'units-compared.md', {
  cpus: { kind: u32, doc: 'virtual CPUs' },
  hasIoApic: { kind: bool, doc: 'the machine has an I/O APIC' },
  mode: { kind: u32, doc: 'the most that the guest may use: 2 APIC, 3 x2APIC' },
});

export function apicConfig(hasIoApic: boolean, mode: string): DeviceConfig {
  return { 'I/O APIC': hasIoApic ? 'on' : 'off', mode };
}

/** Bytes before the first CPU's part. */
const APIC_HEAD = head.size();

function readApic(payload: Uint8Array): ConfigFact & { apicBases: bigint[] } {
  const apicBases = readApicBases(payload);
  if (payload.length < APIC_HEAD) return { apicBases, config: undefined };
  const { hasIoApic, mode } = head.read(new Cursor(payload));
  return { apicBases, config: apicConfig(hasIoApic, MODES[mode] ?? String(mode)) };
}

/** The local APICs. */
export const apicRow: UnitRow = {
  unit: 'apic',
  instance: 0,
  versions: versions(5),
  isCompared: true,
  facts: collected(APIC_LIMIT, readApic),
};

/**
 * The APIC base MSR of each CPU, with which its part of the payload starts; all parts are of one size. Version 5. Empty
 * where the payload does not have that shape. Checked against core dumps of 7.2.22 with one and two CPUs.
 */
export function readApicBases(payload: Uint8Array): bigint[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.length < APIC_HEAD + 8) return [];
  const count = view.getUint32(0, true);
  const stride = (payload.length - APIC_HEAD) / count;
  if (!Number.isInteger(stride) || stride < 8) return [];
  return Array.from({ length: count }, (_, i) => view.getBigUint64(APIC_HEAD + i * stride, true));
}
