import { array, bool, bytes, u8, u32 } from '../../binary/kinds.ts';
import { begin, end, separator } from '../../binary/markers.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, led, list, nested, oneOf, queue, timer, x8, x16, x32, x64 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

// Devices of a PC that are not on the PCI bus, except timers and interrupt controllers.

const dmaChannel = defineStruct('Channel of a DMA controller, 8237A version 2', 'device-units.md', {
  ...fields(x16, ['address', 'count', 'baseAddress', 'baseCount']),
  mode: { kind: x8, doc: '' },
});

const dmaController = defineStruct('DMA controller, 8237A version 2', 'device-units.md', {
  ...fields(x8, ['command', 'mask', 'flipFlop']),
  is16Bit: { kind: u32, doc: '' },
  ...fields(x8, ['status', 'temporary', 'modeCounter']),
  pages: { kind: array(x8, 8), doc: 'bits 16 to 23 of addresses; of channels 0 to 3 at 7, 3, 1, 2' },
  highPages: { kind: array(x8, 8), doc: 'bits 24 to 31' },
  channels: { kind: array(nested(dmaChannel), 4), doc: '' },
});

const dma = defineStruct('Unit 8237A, version 2', 'device-units.md', {
  controllers: { kind: array(nested(dmaController), 2), doc: '' },
});

const keyboard = defineStruct('Keyboard, pckbd version 8', 'device-units.md', {
  ...fields(x8, ['command', 'leds', 'typematic', 'typematicKey', 'modifiers', 'scanSet', 'typematicState']),
  numLock: { kind: bool, doc: '' },
  scanning: { kind: bool, doc: '' },
  commandQueue: { kind: queue, doc: 'answers not yet read' },
  keyQueue: { kind: queue, doc: 'keys not yet read' },
  delay: { kind: timer, doc: '' },
  pressedCount: { kind: u32, doc: '' },
  pressed: {
    kind: ({ pressedCount }: { pressedCount: number }) => list(x8, pressedCount),
    doc: 'keys held down',
  },
  zero: { kind: u32, doc: '' },
});

const mouse = defineStruct('Mouse, pckbd version 8', 'device-units.md', {
  state: { kind: x8, doc: 'bit 6 remote, 5 enabled, 4 scaled' },
  ...fields(u8, ['rate', 'resolution', 'command', 'mode']),
  protocol: { kind: oneOf(u8, { 0: 'PS/2', 3: 'wheel', 4: 'explorer', 5: 'horizontal wheel' }), doc: '' },
  knock: { kind: u8, doc: '' },
  commandQueue: { kind: queue, doc: 'answers not yet read' },
  eventQueue: { kind: queue, doc: 'movements not yet read' },
  delay: { kind: timer, doc: '' },
});

const pckbd = defineStruct('Unit pckbd, version 8', 'device-units.md', {
  ...fields(x8, ['writeCommand', 'status', 'mode', 'output']),
  separator,
  keyboard: { kind: nested(keyboard), doc: '' },
  mouse: { kind: nested(mouse), doc: '' },
});

const drive = defineStruct('Floppy drive, i82078 versions 2–3', 'device-units.md', {
  led,
  type: { kind: u32, doc: '' },
  ...fields(u8, ['diskChanged', 'perpendicular', 'head', 'track', 'sector']),
});

const FIFO_SIZE = 512;

const floppy = defineStruct('Unit i82078, version 3', 'device-units.md', {
  ...fields(x8, ['sra', 'srb', 'dor', 'tdr', 'dsr', 'msr', 'status0', 'status1', 'status2']),
  fifoSize: { kind: u32, doc: 'bytes; compared with the machine' },
  fifo: { kind: bytes(FIFO_SIZE), doc: '' },
  position: { kind: u32, doc: '' },
  length: { kind: u32, doc: '' },
  ...fields(u8, [
    'dataState',
    'dataDirection',
    'resetSense',
    'endOfTrack',
    'timer0',
    'timer1',
    'precompensation',
    'config',
    'lock',
    'power',
    'version',
  ]),
  count: { kind: u8, doc: 'drives; compared with the machine' },
  drives: { kind: ({ count }: { count: number }) => list(nested(drive), count), doc: '' },
  transferDelay: { kind: timer, doc: '' },
  irqDelay: { kind: timer, doc: '' },
  result: { kind: timer, doc: '' },
});

const acpi = defineStruct('Unit acpi, version 8', 'device-units.md', {
  begin,
  ...fields(x16, ['pm1Enable', 'pm1Status', 'pm1Control']),
  pmTimerInitial: { kind: x64, doc: "in ns of the timers' clock" },
  pmTimerValue: { kind: u32, doc: '' },
  ...fields(x32, ['gpe0Enable', 'gpe0Status']),
  ...fields(u32, ['batteryIndex', 'systemInfoIndex', 'sleepState']),
  indexShift: { kind: u8, doc: '' },
  pmBase: { kind: x16, doc: 'first I/O port of power management' },
  suspendToSavedState: { kind: bool, doc: '' },
  smbusBase: { kind: x16, doc: 'first I/O port of the SMBus' },
  ...fields(x8, [
    'hostStatus',
    'slaveStatus',
    'hostControl',
    'hostCommand',
    'hostAddress',
    'hostData0',
    'hostData1',
    'slaveControl',
    'shadowCommand',
  ]),
  ...fields(x16, ['slaveEvent', 'slaveData']),
  block: { kind: bytes(32), doc: 'data of the SMBus' },
  blockIndex: { kind: u8, doc: 'below 32' },
  end,
});

export type Dma = StructValue<typeof dma>;
export type Pckbd = StructValue<typeof pckbd>;
export type Floppy = StructValue<typeof floppy>;
export type Acpi = StructValue<typeof acpi>;
export const legacyRows: readonly UnitRow[] = [
  { unit: '8237A', instance: 0, versions: versions(2), codec: codecOf(dma) },
  { unit: 'pckbd', instance: 0, versions: versions(8), codec: codecOf(pckbd) },
  { unit: 'i82078', instance: 0, versions: versions(3), codec: codecOf(floppy) },
  { unit: 'acpi', instance: 0, versions: versions(8), codec: codecOf(acpi) },
];
