import type { Cursor } from '../../binary/cursor.ts';
import { bool, u8, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue, startOf } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { type DeviceConfig, isaConfig } from '../codec/device-config.ts';
import { fields, list, nested, s32, s64, timer, x16, x64 } from '../codec/kinds.ts';
import { comparedRow, firstBytes, type UnitRow, versions } from '../codec/unit-row.ts';

const channel = defineStruct('Channel of the interval timer, i8254 versions 2–4', 'device-units.md', {
  count: { kind: u32, doc: '1 to 65536' },
  latchedCount: { kind: u16, doc: '' },
  ...fields(u8, [
    'countLatched',
    'statusLatched',
    'status',
    'readState',
    'writeState',
    'writeLatch',
    'rwMode',
    'mode',
    'bcd',
    'gate',
  ]),
  ...fields(x64, ['loaded', 'next', 'reload'], "in ns of the timers' clock"),
  nextTransition: { kind: s64, doc: "in ns of the timers' clock" },
});

const firstChannel = defineStruct('First channel of the interval timer, i8254 versions 2–4', 'device-units.md', {
  channel: { kind: nested(channel), doc: '' },
  timer: { kind: timer, doc: 'timer of the interrupt' },
});

const i8254 = defineStruct('Unit i8254, versions 2–4', 'device-units.md', {
  port: { kind: x16, doc: 'first I/O port; compared with the machine', since: 3 },
  irq: { kind: u8, doc: 'compared with the machine', since: 3 },
  hasSpeaker: { kind: bool, doc: 'compared with the machine', since: 3 },
  channel0: { kind: nested(firstChannel), doc: '' },
  channel1: { kind: nested(channel), doc: '' },
  channel2: { kind: nested(channel), doc: '' },
  speakerOn: { kind: s32, doc: '' },
  refreshClock: { kind: s32, doc: '' },
  disabledByHpet: { kind: bool, doc: '', since: 4 },
});

const hpetTimer = defineStruct('Timer of the HPET, hpet versions 2–3', 'device-units.md', {
  timer: { kind: timer, doc: '', since: 3 },
  wrap: { kind: u8, doc: '' },
  ...fields(x64, ['config', 'comparator', 'fsb', 'period']),
});

const hpet = defineStruct('Unit hpet, versions 2–3', 'device-units.md', {
  count: { kind: u8, doc: 'timers; compared with the machine' },
  timers: { kind: ({ count }: { count: number }, version: number) => list(nested(hpetTimer, version), count), doc: '' },
  offset: { kind: x64, doc: 'offset in ns' },
  capabilities: { kind: x64, doc: 'features, and the period in fs; compared with the machine' },
  config: { kind: x64, doc: 'bit 0: the guest uses it' },
  isr: { kind: x64, doc: '' },
  counter: { kind: x64, doc: '' },
});

export type I8254 = StructValue<typeof i8254>;
export type Hpet = StructValue<typeof hpet>;
export const hpetCodec = codecOf(hpet);
const i8254Codec = codecOf(i8254);

const pitHead = startOf(i8254, 'irq');

/** Configuration of the timer, which no settings change. */
export function i8254Config(irq = 0, port = 0x40): DeviceConfig {
  return isaConfig(irq, port);
}

function comparedPit(version: number): UnitRow {
  const read = (cursor: Cursor) => {
    const { irq, port } = pitHead.read(cursor, version);
    return i8254Config(irq, port);
  };
  return { ...comparedRow('i8254', versions(version), read, i8254Codec), instance: 0, isCompared: false };
}

export const timerRows: readonly UnitRow[] = [
  { unit: 'i8254', instance: 0, versions: versions(2), codec: i8254Codec },
  comparedPit(3),
  { ...comparedPit(4), livePass: firstBytes(4) },
  { unit: 'hpet', instance: 0, versions: versions(2, 3), codec: hpetCodec },
];
