import { u8 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, list, nested, x8, x32, x64 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const pic = defineStruct('One interrupt controller, i8259 version 1', 'device-units.md', {
  ...fields(x8, ['lastIrr', 'irr', 'imr', 'isr'], 'a bit for each line: last level, waits, masked, in service'),
  ...fields(u8, [
    'priorityAdd',
    'irqBase',
    'readRegister',
    'poll',
    'specialMask',
    'initState',
    'autoEoi',
    'rotateOnAutoEoi',
    'specialFullyNested',
    'init4',
  ]),
  elcr: { kind: x8, doc: 'lines that are triggered by level' },
});

const i8259 = defineStruct('Unit i8259, version 1', 'device-units.md', {
  master: { kind: nested(pic), doc: '' },
  slave: { kind: nested(pic), doc: '' },
});

const REDIRECTIONS = 24;

const ioapic = defineStruct('Unit ioapic, versions 1–3', 'device-units.md', {
  irr: { kind: x32, doc: 'pending lines', since: 2 },
  id: { kind: u8, doc: '' },
  index: { kind: u8, doc: 'register that the guest has chosen' },
  redirections: { kind: list(x64, REDIRECTIONS), doc: 'for each line: vector, kind of delivery; bit 16: masked' },
  flipFlop: { kind: x64, doc: 'lines with a flip-flop', since: 3 },
});

export type I8259 = StructValue<typeof i8259>;
export type IoApic = StructValue<typeof ioapic>;
export const ioapicCodec = codecOf(ioapic);

export const interruptControllerRows: readonly UnitRow[] = [
  { unit: 'i8259', instance: 0, versions: versions(1), codec: codecOf(i8259) },
  { unit: 'ioapic', instance: 0, versions: versions(1, 3), codec: ioapicCodec },
];
