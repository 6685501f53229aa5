import { bool, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import type { ConfigUnit, DeviceConfig } from '../device-config.ts';

/** Unit "apic", instance 0: the local APICs. Only what a core dump shows of them. */
export const APIC_UNIT = { name: 'apic', instance: 0, version: 5 } as const;
export const APIC_LIMIT = 4 * 1024 * 1024;

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

export const apicUnit: ConfigUnit = {
  unit: APIC_UNIT.name,
  versions: [APIC_UNIT.version, APIC_UNIT.version],
  read(cursor) {
    const { hasIoApic, mode } = head.read(cursor);
    return apicConfig(hasIoApic, MODES[mode] ?? String(mode));
  },
};

/** Bytes before the first CPU's part. */
export const APIC_HEAD = head.size();

/**
 * The APIC base MSR of each CPU, with which its part of the payload starts; all parts are of one size. Version 5. Empty where the payload does
 * not have that shape. Checked against core dumps of 7.2.22 with one and two CPUs.
 */
export function readApicBases(payload: Uint8Array): bigint[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.length < APIC_HEAD + 8) return [];
  const count = view.getUint32(0, true);
  const stride = (payload.length - APIC_HEAD) / count;
  if (!Number.isInteger(stride) || stride < 8) return [];
  return Array.from({ length: count }, (_, i) => view.getBigUint64(APIC_HEAD + i * stride, true));
}
