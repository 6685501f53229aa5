import { Cursor } from '../../binary/cursor.ts';
import { array, bool, u32 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct, type StructValue, startOf } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { fields, list, maybe, nested, oneOf, timer, x8, x32, x64 } from '../codec/kinds.ts';
import { type ConfigFact, collected, type UnitRow, versions } from '../codec/unit-row.ts';

const APIC_LIMIT = 4 * 1024 * 1024;

/** Modes of the APIC by number; 1 is a machine without APIC. */
export const APIC_MODES: Readonly<Record<number, string>> = { 1: 'none', 2: 'APIC', 3: 'x2APIC' };

export function apicConfig(hasIoApic: boolean, mode: string): DeviceConfig {
  return { 'I/O APIC': hasIoApic ? 'on' : 'off', mode };
}

const REGISTERS = 8;
const X2APIC = 0x400n;

const INTERRUPTS = {
  isr: { kind: array(x32, REGISTERS), doc: 'interrupts in service, a bit for each vector' },
  tmr: { kind: array(x32, REGISTERS), doc: 'level-triggered interrupts, a bit for each vector' },
  irr: { kind: array(x32, REGISTERS), doc: 'pending interrupts' },
  ...fields(x32, [
    'esr',
    'icrLow',
    'icrHigh',
    'lvtTimer',
    'lvtThermal',
    'lvtPerformance',
    'lvtLint0',
    'lvtLint1',
    'lvtError',
  ]),
  ...fields(x32, ['initialCount', 'currentCount', 'divide']),
};
const TPR = { kind: x8, doc: 'priority below which interrupts wait' };

const page = defineStruct('Registers of a local APIC, apic version 5', 'device-units.md', {
  begin,
  id: { kind: x8, doc: '' },
  version: { kind: x32, doc: '' },
  tpr: TPR,
  ...fields(x8, ['apr', 'ppr']),
  ...fields(x32, ['ldr', 'dfr', 'svr']),
  ...INTERRUPTS,
  end,
});

const x2page = defineStruct('Registers of a local APIC in x2APIC mode, apic version 5', 'device-units.md', {
  begin,
  ...fields(x32, ['id', 'version']),
  tpr: TPR,
  ...fields(x8, ['ppr']),
  ...fields(x32, ['ldr', 'svr']),
  ...INTERRUPTS,
  end,
});

const cpu = defineStruct('Local APIC of one CPU, apic version 5', 'device-units.md', {
  base: { kind: x64, doc: 'MSR; bit 10: x2APIC mode, bit 11: on' },
  internalEsr: { kind: x32, doc: '' },
  page: { kind: ({ base }: { base: bigint }) => maybe(nested(page), (base & X2APIC) === 0n), doc: '' },
  x2page: { kind: ({ base }: { base: bigint }) => maybe(nested(x2page), (base & X2APIC) !== 0n), doc: '' },
  timerStart: { kind: x64, doc: "in ns of the timers' clock" },
  timer: { kind: timer, doc: '' },
  lint0: { kind: bool, doc: 'level' },
  lint1: { kind: bool, doc: 'level' },
});

const apic = defineStruct('Unit apic, version 5', 'device-units.md', {
  cpus: { kind: u32, doc: 'virtual CPUs; compared with the machine' },
  hasIoApic: { kind: bool, doc: 'compared with the machine' },
  mode: { kind: oneOf(u32, APIC_MODES), doc: 'the highest mode that the guest may use; compared with the machine' },
  cpu: { kind: ({ cpus }: { cpus: number }) => list(nested(cpu), cpus), doc: 'one entry for each CPU' },
});

/** The unit up to the first CPU's part. */
const head = startOf(apic, 'mode');
const APIC_HEAD = head.size();

export type Apic = StructValue<typeof apic>;
export const apicCodec = codecOf(apic);

function readApic(payload: Uint8Array): ConfigFact & { apicBases: bigint[] } {
  const apicBases = readApicBases(payload);
  return { apicBases, config: payload.length < APIC_HEAD ? undefined : configOf(payload) };
}

function configOf(payload: Uint8Array): DeviceConfig {
  const { hasIoApic = false, mode } = head.read(new Cursor(payload));
  return apicConfig(hasIoApic, APIC_MODES[mode] ?? String(mode));
}

/** The local APICs. */
export const apicRow: UnitRow = {
  unit: 'apic',
  instance: 0,
  versions: versions(5),
  isCompared: true,
  facts: collected(APIC_LIMIT, readApic),
  configOf,
  codec: apicCodec,
};

/**
 * The APIC base MSR of each CPU, the first value of its part of the payload; all parts have one size. Version 5. Empty
 * if the payload does not have this form. Checked against core dumps of 7.2.22 with one and two CPUs.
 */
export function readApicBases(payload: Uint8Array): bigint[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.length < APIC_HEAD + 8) return [];
  const count = view.getUint32(0, true);
  const stride = (payload.length - APIC_HEAD) / count;
  if (!Number.isInteger(stride) || stride < 8) return [];
  return Array.from({ length: count }, (_, i) => view.getBigUint64(APIC_HEAD + i * stride, true));
}
