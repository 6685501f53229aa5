import { array } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, opaque, x32, x64 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

/** Ports of the root hub: as many as the chip may have, whatever the machine uses. */
export const ROOT_PORTS = 15;

const ohci = defineStruct('Unit usb-ohci, version 6', 'device-units.md', {
  begin,
  frameStart: { kind: x64, doc: 'when the last frame began, in ticks of the timer' },
  interruptDelay: { kind: x32, doc: 'bits 0 to 2: frames until the done queue is told; bit 31: frame number' },
  ...fields(x32, ['hubStatus', 'hubDescriptorA', 'hubDescriptorB']),
  ports: { kind: array(x32, ROOT_PORTS), doc: 'status of each port of the root hub; bit 0: a device is attached' },
  ...fields(x32, ['control', 'commandStatus', 'interruptStatus', 'interruptEnable']),
  communicationArea: { kind: x32, doc: 'guest-physical address' },
  ...fields(x32, ['periodicCurrent', 'controlCurrent', 'controlHead', 'bulkCurrent', 'bulkHead', 'doneHead']),
  frameInterval: { kind: x32, doc: '' },
  ...fields(x32, ['frameNumber', 'periodicStart']),
  end,
  rest: { kind: opaque(), doc: 'four bytes, 0 in all states seen' },
});

/** The controller for USB 1.1. */
export const ohciRow: UnitRow = { unit: 'usb-ohci', versions: versions(6), codec: codecOf(ohci) };
