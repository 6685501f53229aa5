import { array, bool, bytes, text, u8, u16, u32, u64 } from '../../binary/kinds.ts';
import { separator } from '../../binary/markers.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, led, nested, oneOf, x8, x32, x64 } from '../codec/kinds.ts';

/** Entries for ports in a unit, however many the controller has. */
export const AHCI_PORTS = 30;

const NAMES = {
  serialNumber: { kind: text(64), doc: 'only logged' },
  firmware: { kind: text(64), doc: 'only logged' },
  model: { kind: text(128), doc: 'only logged' },
};
const ATTACHED = { kind: bool, doc: 'a disk or drive is attached; compared with the machine' };

export const ahciDevice = defineStruct('Device at a port, ahci version 9', 'units-compared.md', {
  attached: ATTACHED,
  hotPluggable: { kind: bool, doc: 'the disk may be taken out of a running machine; compared with the machine' },
  ...NAMES,
});

const ahciPort = defineStruct('Port of an AHCI controller, ahci version 9', 'units-compared.md', {
  ...fields(x32, ['commandList', 'commandListHigh', 'receivedFis', 'receivedFisHigh'], 'guest-physical addresses'),
  ...fields(x64, ['commandListAddress', 'receivedFisAddress'], 'guest-physical addresses'),
  ...fields(x32, [
    'interruptStatus',
    'interruptEnable',
    'command',
    'taskFile',
    'signature',
    'sataStatus',
    'sataControl',
    'sataError',
    'sataActive',
    'commandIssue',
  ]),
  geometry: { kind: array(u32, 3), doc: 'cylinders, heads, sectors' },
  sectors: { kind: u64, doc: '' },
  multiSectors: { kind: u32, doc: 'sectors of one transfer' },
  transferMode: { kind: x8, doc: '' },
  ...fields(x8, ['reset', 'poweredOn', 'spunUp'], 'names are a guess'),
  ...fields(
    x32,
    ['finished', 'finishedQueued'],
    'commands that the guest still sees as issued, or as active, until it looks',
  ),
  currentSlot: { kind: u32, doc: 'slot of the last command; the name of this field is a guess' },
  atapi: { kind: u8, doc: 'a drive for CDs' },
  sense: { kind: bytes(64), doc: 'answer to the last command of a drive' },
});

const ahci = defineStruct('Unit ahci, version 9', 'units-compared.md', {
  ports: { kind: u32, doc: 'ports; compared with the machine' },
  devices: { kind: array(nested(ahciDevice), AHCI_PORTS), doc: '' },
  idePorts: { kind: array(u32, 4), doc: 'ports that are also shown as IDE ports' },
  ...fields(x32, [
    'capabilities',
    'control',
    'interruptStatus',
    'portsImplemented',
    'version',
    'coalescingControl',
    'coalescingPorts',
  ]),
  unknown: { kind: bytes(26), doc: 'coalescing of interrupts, reset; details are not known' },
  port: { kind: array(nested(ahciPort), AHCI_PORTS), doc: '' },
  separator,
});

const IDE_CHIP_NAMES = { 0: 'PIIX3', 1: 'PIIX4', 2: 'ICH6' };

export const ideDevice = defineStruct('Device at an IDE channel, piix3ide versions 20–22', 'units-compared.md', {
  attached: ATTACHED,
  ...NAMES,
});

const ideChannel = defineStruct('Configuration of an IDE channel, piix3ide version 22', 'units-compared.md', {
  enabled: { kind: bool, doc: 'compared with the machine' },
  devices: { kind: array(nested(ideDevice), 2), doc: 'master, slave' },
});

const ideDrive = defineStruct('State of an IDE drive, piix3ide version 22', 'device-units.md', {
  ...fields(bool, ['lba48', 'atapi', 'irqPending']),
  multSectors: { kind: u8, doc: '' },
  ...fields(u32, ['cylinders', 'heads', 'sectors', 'sectorsPerIrq']),
  totalSectors: { kind: u64, doc: '' },
  ...fields(x8, [
    'feature',
    'hobFeature',
    'error',
    'nsector',
    'hobNsector',
    'sector',
    'hobSector',
    'lcyl',
    'hobLcyl',
    'hcyl',
    'hobHcyl',
    'select',
    'status',
    'command',
  ]),
  ...fields(x8, ['deviceControl', 'transferMode', 'transferDirection', 'beginTransfer', 'sourceSink']),
  ...fields(bool, ['dma', 'atapiTransfer']),
  ...fields(u32, ['total', 'elementary', 'bufferAt', 'bufferEnd', 'pioStart', 'pioEnd', 'currentLba', 'atapiSector']),
  packet: { kind: bytes(16), doc: '' },
  sense: { kind: bytes(64), doc: '' },
  mediaChange: { kind: u8, doc: '' },
  mediaEvent: { kind: u32, doc: '' },
  led,
  bufferSize: { kind: u32, doc: 'bytes; 0 without a drive' },
  buffer: {
    kind: ({ bufferSize }: { bufferSize: number }) => bytes(bufferSize),
    doc: 'data on its way to or from the guest',
  },
});

const ideController = defineStruct('State of an IDE channel, piix3ide version 22', 'device-units.md', {
  ...fields(u8, ['selected', 'aioSelected', 'asyncState']),
  ...fields(bool, ['chained', 'reset', 'redo', 'redoIdle', 'redoDmaLast']),
  ...fields(x8, ['busMasterCommand', 'busMasterStatus']),
  unused: { kind: u16, doc: '' },
  busMasterAddress: { kind: x32, doc: 'guest-physical address' },
  ...fields(x32, ['firstDescriptor', 'lastDescriptor', 'redoBuffer', 'redoSize']),
  drives: { kind: array(nested(ideDrive), 2), doc: 'master, slave' },
});

const ide = defineStruct('Unit piix3ide, version 22', 'device-units.md', {
  chip: { kind: oneOf(u8, IDE_CHIP_NAMES), doc: 'compared with the machine' },
  channels: { kind: array(nested(ideChannel), 2), doc: 'primary, secondary' },
  controllers: { kind: array(nested(ideController), 2), doc: 'primary, secondary' },
  separator,
});

/** Text for a disk or drive. @param model name that the device gives itself */
export function mediumText(isDrive: boolean, model: string): string {
  const name = model.trim();
  return `${isDrive ? 'CD drive' : 'disk'}${name === '' ? '' : `, ${name}`}`;
}

export type Ahci = StructValue<typeof ahci>;
export type Ide = StructValue<typeof ide>;
export const ahciCodec = codecOf(ahci);
export const ideCodec = codecOf(ide);
