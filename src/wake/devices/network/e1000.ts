import { type E1000, E1000_PHY_REGISTERS } from '../../../../formats/units/network/codecs.ts';
import { type Correspondence, computed, same, sameEach, sameList } from '../../template/correspondence.ts';
import type { SectionImage } from '../../template/section-image.ts';
import { E1000_REGISTERS } from './e1000-registers.ts';

/** Tables that the unit keeps apart from the registers: name, index in QEMU's list, offset among all registers. */
const TABLES = [
  { name: 'addresses', index: 0, offset: 0x5400, count: 32 },
  { name: 'multicast', index: 1, offset: 0x5200, count: 128 },
  { name: 'vlans', index: 2, offset: 0x5600, count: 128 },
] as const;
const TABLE_REGISTERS = ['MTA', 'RA', 'VFTA'];
/** Numbers of the PHY's registers with its manufacturer and model. */
const PHY_IDS = [2, 3];

/** Bits of RCTL: the share of free receive descriptors at which the card raises an interrupt (RDMTS). */
const LITTLE_ROOM_SHIFT = 8;

const RCTL = E1000_REGISTERS.findIndex(([name]) => name === 'RCTL');
const ICR = E1000_REGISTERS.findIndex(([name]) => name === 'ICR');

/** QEMU's array of all registers, by offset. */
const BY_PLACE = 'e1000/full_mac_state.mac_reg';

/** @param section shows the registers that this QEMU keeps by name */
export function e1000(section: SectionImage): Correspondence<E1000>[] {
  return [
    ...E1000_REGISTERS.flatMap(([name, offset], i) =>
      TABLE_REGISTERS.includes(name) ? [] : register(section, name, offset, i),
    ),
    ...TABLES.flatMap(({ name, index, offset, count }) => [
      ...sameList(`mac_reg[${index}]`, name, count),
      ...Array.from({ length: count }, (_, i) =>
        computed(`${BY_PLACE}[${offset / 4 + i}]`, (part: E1000) => BigInt(part[name][i])),
      ),
    ]),
    // ICS is write-only: its bits appear in the interrupt causes (ICR).
    computed('mac_reg[ICS]', (part) => BigInt(part.registers[ICR])),
    ...sameList('eeprom_data', 'eeprom', 64),
    ...E1000_PHY_REGISTERS.flatMap((number, i) =>
      PHY_IDS.includes(number) ? [] : [same(`phy_reg[${number}]`, `phy[${i}]`)],
    ),
    same('rxbuf_size', 'receiveBufferSize'),
    computed('rxbuf_min_shift', (part) => BigInt(((part.registers[RCTL] >>> LITTLE_ROOM_SHIFT) & 3) + 1)),
    same('e1000/mit_state.mit_irq_level', 'interruptRaised'),
    // A frame of which only the first descriptors have been processed.
    same('tx.size', 'sendLength'),
    {
      qemu: 'tx.data',
      wake: (part) => {
        const { sendFrame } = part;
        const data = section.bytes('tx.data').fill(0);
        data.set(sendFrame.subarray(0, data.length));
        return data;
      },
      back: (fields, part) => {
        part.sendFrame = fields.bytes('tx.data').subarray(0, part.sendLength);
      },
    },
    ...offload('mig_props.', 'normal'),
    ...offload('e1000/tx_tso_state.tx.tso_props.', 'segmentation'),
  ];
}

function register(section: SectionImage, name: string, offset: number, i: number): Correspondence<E1000>[] {
  const named = [`mac_reg[${name}]`, `e1000/mit_state.mac_reg[${name}]`].filter((path) => section.has(path));
  return [`${BY_PLACE}[${offset / 4}]`, ...named].map((path) => same(path, `registers[${i}]`));
}

/** Bits of a context descriptor's command: length of the payload, and types of packets. */
const PAYLOAD = 0xfffff;
const IS_TCP = 0x0100_0000;
const IS_IP = 0x0200_0000;

function offload(qemu: string, vbox: 'normal' | 'segmentation'): Correspondence<E1000>[] {
  return [
    ...sameEach(qemu, `${vbox}.`, [
      ['ipcss', 'ipStart'],
      ['ipcso', 'ipOffset'],
      ['ipcse', 'ipEnd'],
      ['tucss', 'payloadStart'],
      ['tucso', 'payloadOffset'],
      ['tucse', 'payloadEnd'],
      ['hdr_len', 'headerLength'],
      ['mss', 'segmentSize'],
    ]),
    commandBits(`${qemu}paylen`, vbox, PAYLOAD, 1),
    commandBits(`${qemu}ip`, vbox, IS_IP, IS_IP),
    commandBits(`${qemu}tcp`, vbox, IS_TCP, IS_TCP),
  ];
}

/** A field of QEMU that VirtualBox keeps as bits of the command. @param unit value of the lowest bit */
function commandBits(qemu: string, vbox: 'normal' | 'segmentation', bits: number, unit: number): Correspondence<E1000> {
  return {
    qemu,
    wake: (part) => BigInt((part[vbox].command & bits) / unit),
    back: (fields, part) => {
      const context = part[vbox];
      context.command = ((context.command & ~bits) | ((Number(fields.number(qemu)) * unit) & bits)) >>> 0;
    },
  };
}
