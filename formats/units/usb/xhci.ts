import { bool, u8, u16, u32 } from '../../binary/kinds.ts';
import { separator } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, list, nested, x32, x64 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const slot = defineStruct('Slot, usb-xhci version 1', 'device-units.md', {
  state: { kind: u8, doc: '0 off' },
  bells: { kind: x32, doc: 'end points whose doorbell was rung' },
});

const port = defineStruct('Port, usb-xhci version 1', 'device-units.md', {
  status: { kind: x32, doc: 'bit 0: a device is attached' },
  power: { kind: x32, doc: 'power management' },
});

const interrupter = defineStruct('Interrupter, usb-xhci version 1', 'device-units.md', {
  ...fields(x32, ['management', 'moderation']),
  segments: { kind: u32, doc: 'segments of the table of event rings' },
  ...fields(x64, ['segmentTable', 'dequeue', 'enqueue'], 'guest-physical address'),
  segment: { kind: u16, doc: '' },
  left: { kind: u16, doc: 'TRBs left in the segment' },
  cycle: { kind: bool, doc: 'cycle bit of new events' },
  pending: { kind: bool, doc: 'an interrupt is pending' },
});

const xhci = defineStruct('Unit usb-xhci, version 1', 'device-units.md', {
  ...fields(x32, ['command', 'status', 'notifications']),
  ...fields(x64, ['commandRing', 'contexts'], 'guest-physical address, and flags'),
  slotsEnabled: { kind: x32, doc: '' },
  commandDequeue: { kind: x64, doc: 'guest-physical address' },
  commandCycle: { kind: bool, doc: 'cycle bit of new commands' },
  slotCount: { kind: u32, doc: '' },
  slots: { kind: ({ slotCount }: { slotCount: number }) => list(nested(slot), slotCount), doc: '' },
  portCount: { kind: u32, doc: '' },
  ports: {
    kind: ({ portCount }: { portCount: number }) => list(nested(port), portCount),
    doc: 'ports of both root hubs',
  },
  interrupterCount: { kind: u32, doc: '' },
  interrupters: {
    kind: ({ interrupterCount }: { interrupterCount: number }) => list(nested(interrupter), interrupterCount),
    doc: '',
  },
  separator,
});

/** The controller for USB 3.0. */
export const xhciRow: UnitRow = { unit: 'usb-xhci', versions: versions(1), codec: codecOf(xhci) };
