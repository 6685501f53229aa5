import { array, bool, bytes, u8, u32, u64 } from '../../binary/kinds.ts';
import { separator } from '../../binary/markers.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { FormatError } from '../../errors.ts';
import { codecOf } from '../codec/codec.ts';
import { nested, s32, untilMark, x8, x32 } from '../codec/kinds.ts';

/** Regions of a device: six base address registers and the ROM. */
export const REGIONS = 7;
/** Register of the configuration space with the first of six base addresses. */
export const BASE_ADDRESSES = 0x10;
const CONFIG_SIZE = 256;

const region = defineStruct('Region of a PCI device', 'units-compared.md', {
  type: { kind: u8, doc: 'memory, I/O, prefetchable, wide' },
  size: { kind: u64, doc: 'bytes' },
});

const device = defineStruct('Device on the bus of PIIX3, pci versions 3–4', 'units-compared.md', {
  devfn: { kind: x32, doc: 'place on the bus: 8 × device + function' },
  config: { kind: bytes(CONFIG_SIZE), doc: 'configuration space' },
  pinLevel: { kind: s32, doc: 'level of the interrupt pin' },
  regions: { kind: array(nested(region), REGIONS), doc: '', since: 4 },
});

const ich9Device = defineStruct('Device on the bus of ICH9, ich9pci version 4', 'units-compared.md', {
  devfn: { kind: x32, doc: 'place on the bus: 8 × device + function' },
  configSize: { kind: u32, doc: '256 or 4096' },
  config: {
    kind: ({ configSize }: { configSize: number }) => bytes(checkedSize(configSize)),
    doc: 'configuration space',
  },
  flags: { kind: x32, doc: '' },
  pinLevel: { kind: s32, doc: 'level of the interrupt pin' },
  msiOffset: { kind: x8, doc: '' },
  msiSize: { kind: x8, doc: '' },
  msixOffset: { kind: x8, doc: '' },
  msixSize: { kind: x8, doc: '' },
  msixPageSize: { kind: u32, doc: 'bytes' },
  msixPage: {
    kind: ({ msixPageSize }: { msixPageSize: number }) => bytes(checkedSize(msixPageSize)),
    doc: 'vectors of MSI-X',
  },
  regions: { kind: array(nested(region), REGIONS), doc: '' },
});

/** More bytes than any part of a device has. */
const MAX_PART = 65536;

function checkedSize(size: number): number {
  if (size > MAX_PART) throw new FormatError('too-long', `Cannot read unit ich9pci: a part of ${size} bytes`);
  return size;
}

/** Lines from the bus to the two interrupt controllers of old PCs, and to the I/O APIC. */
export const LEGACY_LINES = 4;
export const APIC_LINES = 8;

const piix3Bus = defineStruct('Unit pci, versions 3–4', 'units-compared.md', {
  address: { kind: x32, doc: 'configuration address that the guest has selected' },
  usesIoApic: { kind: bool, doc: '' },
  legacyLevels: { kind: array(u32, LEGACY_LINES), doc: 'number of devices that hold each line' },
  apicLevels: { kind: array(u32, APIC_LINES), doc: 'number of devices that hold each line of the I/O APIC' },
  acpiLevel: { kind: u32, doc: '' },
  acpiIrq: { kind: s32, doc: '' },
  separator,
  devices: { kind: (_: unknown, version: number) => untilMark(nested(device, version)), doc: '' },
});

const ich9Bus = defineStruct('Unit ich9pci, version 4', 'units-compared.md', {
  address: { kind: x32, doc: 'configuration address that the guest has selected' },
  apicLevels: { kind: array(u32, APIC_LINES), doc: 'number of devices that hold each line of the I/O APIC' },
  separator,
  devices: { kind: untilMark(nested(ich9Device)), doc: '' },
});

const ich9Bridge = defineStruct('Unit ich9pcibridge, version 4', 'units-compared.md', {
  devices: { kind: untilMark(nested(ich9Device)), doc: '' },
});

/** A place on a PCI bus as people, and QEMU, name it: `03.0`. @param devfn 8 × device + function */
export function placeName(devfn: number): string {
  return `${(devfn >>> 3).toString(16).padStart(2, '0')}.${devfn & 7}`;
}

export type Piix3Bus = StructValue<typeof piix3Bus>;
export type Ich9Bus = StructValue<typeof ich9Bus>;
export const piix3BusCodec = codecOf(piix3Bus);
export const ich9BusCodec = codecOf(ich9Bus);
export const ich9BridgeCodec = codecOf(ich9Bridge);
