import { bool, bytes, u32 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct, startOf } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import type { DeviceConfig } from '../codec/device-config.ts';
import { fields, opaque, s32, x32 } from '../codec/kinds.ts';
import { comparedRow, firstBytes, type UnitRow, versions } from '../codec/unit-row.ts';

/** Bytes of requests to change 64 monitors, without the markers around them. */
const DISPLAY_CHANGES = 3848;
const MARKERS = 8;
const SINCE_DISPLAY_CHANGES = 18;
const SINCE_WHEEL = 19;
const SINCE_MMIO = 20;

const wheel = Object.fromEntries(
  Object.entries({
    ...fields(s32, ['wheel', 'horizontalWheel']),
    buttons: { kind: x32, doc: 'buttons of the mouse' },
  }).map(([name, field]) => [name, { ...field, since: SINCE_WHEEL }]),
);

const vmmDev = defineStruct('Unit VMMDev, versions 17–20', 'device-units.md', {
  hostTimeOff: { kind: bool, doc: 'the guest does not see the clock of the host' },
  backDoorOff: { kind: bool, doc: 'no log port' },
  keepCredentials: { kind: bool, doc: 'compared with the machine' },
  hasHeap: { kind: bool, doc: 'compared with the machine' },
  mmioRequests: { kind: bool, doc: 'compared with the machine', since: SINCE_MMIO, absent: false },
  hypervisorSize: { kind: u32, doc: 'not used any more' },
  mouseCapabilities: { kind: x32, doc: '' },
  ...fields(s32, ['mouseX', 'mouseY'], 'place of the pointer'),
  ...wheel,
  newFilterValid: { kind: bool, doc: '' },
  ...fields(x32, ['newFilter', 'filter', 'hostEvents'], 'events that the guest wants, or that are pending'),
  rest: {
    kind: (_: unknown, version: number) => opaque(version >= SINCE_DISPLAY_CHANGES ? DISPLAY_CHANGES + MARKERS : 0),
    doc: 'reports of guest additions, pending calls of the host, heartbeat',
  },
  displayBegin: { ...begin, since: SINCE_DISPLAY_CHANGES },
  displayChanges: {
    kind: bytes(DISPLAY_CHANGES),
    doc: 'sizes that the guest is asked for',
    since: SINCE_DISPLAY_CHANGES,
  },
  displayEnd: { ...end, since: SINCE_DISPLAY_CHANGES },
});

export const vmmDevCodec = codecOf(vmmDev);

/** Bytes of the configuration, which is the first part, and all of pass 0. */
const CONFIGURATION = 4;

const livePass: NonNullable<UnitRow['livePass']> = (payload, version) =>
  firstBytes(CONFIGURATION + (version >= SINCE_MMIO ? 1 : 0))(payload, version);

const configuration = startOf(vmmDev, 'mmioRequests');

/** The compared part. No setting of a machine changes it, so the defaults are those of each machine. */
export function vmmDevConfig(keepCredentials = false, hasHeap = true, mmioRequests = false): DeviceConfig {
  return { 'keeps credentials': keepCredentials, heap: hasHeap, 'requests by memory': mmioRequests };
}

function compared(version: number): UnitRow {
  const row = comparedRow(
    'VMMDev',
    versions(version),
    (cursor) => {
      const { keepCredentials, hasHeap, mmioRequests } = configuration.read(cursor, version);
      return vmmDevConfig(keepCredentials, hasHeap, mmioRequests);
    },
    vmmDevCodec,
  );
  return { ...row, instance: 0, isCompared: false, livePass };
}

/** The device that guest additions talk to. */
export const vmmDevRows: readonly UnitRow[] = versions(17, SINCE_MMIO).map(compared);
