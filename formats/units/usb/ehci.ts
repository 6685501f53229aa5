import { array, bool, u32 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, x32, x64 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';
import { ROOT_PORTS } from './ohci.ts';

const ehci = defineStruct('Unit usb-ehci, version 7', 'device-units.md', {
  begin,
  asyncTimerActive: { kind: bool, doc: '' },
  frameStart: { kind: x64, doc: 'when the last frame began, in ticks of the timer' },
  unused: { kind: array(x32, 3), doc: '' },
  ports: { kind: array(x32, ROOT_PORTS), doc: 'status of each port of the root hub; bit 0: a device is attached' },
  ...fields(x32, ['capabilityLength', 'interfaceVersion', 'structuralParameters', 'capabilityParameters']),
  ...fields(x32, ['command', 'status', 'interruptEnable', 'frameIndex', 'segment']),
  ...fields(x32, ['periodicList', 'asyncList'], 'guest-physical address'),
  configured: { kind: x32, doc: '1: ports are routed here' },
  ...fields(u32, ['interruptInterval', 'frameNumber', 'framesPerCall']),
  busStarted: { kind: bool, doc: '' },
  end,
});

/** The controller for USB 2.0. */
export const ehciRow: UnitRow = { unit: 'usb-ehci', versions: versions(7), codec: codecOf(ehci) };
