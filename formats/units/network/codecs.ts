import { array, bool, bytes, u8, u16, u32 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, fill, nested, oneOf, s32, timer, x16, x32, x64 } from '../codec/kinds.ts';

/** Models of one device, by number, with their names in settings. */
export const E1000_CHIPS = ['82540EM', '82543GC', '82545EM', '82583V'] as const;
export const PCNET_TYPES = ['Am79C970A', 'Am79C973', 'Am79C960'] as const;

export const MAC_SIZE = 6;
const E1000_REGISTERS = 124;

/** PHY registers by number, in the order of the unit. */
export const E1000_PHY_REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 18, 19, 20, 21, 26, 29, 30] as const;

const offload = defineStruct('Context of sending, e1000 version 6', 'device-units.md', {
  ...fields(u8, ['ipStart', 'ipOffset'], 'of the header to be summed'),
  ipEnd: { kind: u16, doc: '' },
  ...fields(u8, ['payloadStart', 'payloadOffset'], 'of the sum of the payload'),
  payloadEnd: { kind: u16, doc: '' },
  command: { kind: x32, doc: 'bytes of payload, and flags' },
  status: { kind: u8, doc: '' },
  headerLength: { kind: u8, doc: 'bytes' },
  segmentSize: { kind: u16, doc: 'bytes' },
});

export const e1000 = defineStruct('Unit e1000, version 6', 'device-units.md', {
  mac: { kind: bytes(MAC_SIZE), doc: 'address; only logged' },
  chip: { kind: oneOf(u32, { ...E1000_CHIPS }), doc: 'compared with the machine' },
  eepromVersion: { kind: u8, doc: '' },
  eepromState: { kind: u8, doc: '' },
  eepromOperation: { kind: u8, doc: '' },
  eepromWritable: { kind: bool, doc: '' },
  eepromWires: { kind: x32, doc: '' },
  eepromWord: { kind: x16, doc: '' },
  eepromMask: { kind: x16, doc: '' },
  eepromAddress: { kind: x16, doc: '' },
  eeprom: { kind: array(x16, 64), doc: '' },
  begin,
  registers: { kind: array(x32, E1000_REGISTERS), doc: 'values of the registers, in the order of their table' },
  end,
  interruptRaised: { kind: bool, doc: 'the interrupt line is raised' },
  phyBegin: begin,
  phy: { kind: array(x16, E1000_PHY_REGISTERS.length), doc: 'registers of the PHY' },
  phyEnd: end,
  phySelected: { kind: u32, doc: '' },
  multicast: { kind: array(x32, 128), doc: 'table of multicast addresses' },
  addresses: { kind: array(x32, 32), doc: 'addresses to receive' },
  vlans: { kind: array(x32, 128), doc: 'table of VLANs' },
  acknowledged: { kind: x64, doc: 'time of the last acknowledged interrupt, in ns' },
  receiveBufferSize: { kind: u16, doc: 'bytes' },
  sendLength: { kind: u16, doc: 'bytes of the frame being sent' },
  sendFrame: { kind: ({ sendLength }: { sendLength: number }) => bytes(sendLength), doc: '' },
  ...fields(bool, ['ipSum', 'payloadSum'], 'to be put into the frame being sent'),
  ...fields(nested(offload), ['segmentation', 'normal'], 'contexts of sending'),
  vlanTagged: { kind: bool, doc: '' },
  vlanTag: { kind: x16, doc: '' },
  unused: { kind: u8, doc: '' },
});

export const pcnet = defineStruct('Unit pcnet, version 10', 'device-units.md', {
  linkUp: { kind: bool, doc: '' },
  rap: { kind: u32, doc: 'register that the guest has chosen' },
  isr: { kind: s32, doc: 'level of the interrupt' },
  linkState: { kind: x32, doc: '' },
  unused: { kind: bool, doc: '' },
  signalReceiveMiss: { kind: bool, doc: '' },
  receiveRing: { kind: x32, doc: 'guest-physical address' },
  transmitRing: { kind: x32, doc: 'guest-physical address' },
  prom: { kind: bytes(16), doc: '' },
  csr: { kind: array(x16, 128), doc: '' },
  bcr: { kind: array(x16, 50), doc: '' },
  mii: { kind: array(x16, 32), doc: '' },
  csr0LastSeen: { kind: x16, doc: '' },
  lastPoll: { kind: x64, doc: '' },
  mac: { kind: bytes(MAC_SIZE), doc: 'address; only logged' },
  type: { kind: oneOf(u8, { ...PCNET_TYPES }), doc: 'compared with the machine' },
  linkSpeed: { kind: u32, doc: '' },
  timers: { kind: fill(timer), doc: 'polling; and the software interrupt of the Am79C973' },
});

export type E1000 = StructValue<typeof e1000>;
export type Pcnet = StructValue<typeof pcnet>;
export const e1000Codec = codecOf(e1000);
export const pcnetCodec = codecOf(pcnet);

/** A MAC address in its usual form, `08:00:27:…`. */
export function macText(mac: Uint8Array): string {
  return Buffer.from(mac)
    .toString('hex')
    .replace(/..(?!$)/g, '$&:');
}
