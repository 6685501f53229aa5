import type { Pcnet } from '../../../../formats/units/network/codecs.ts';
import {
  type Correspondence,
  computed,
  sameBytes,
  sameEach,
  sameList,
  type UnitPart,
} from '../../template/correspondence.ts';

/** Registers of the bus that both keep. */
const BUS_REGISTERS = 32;
const REGISTERS = 128;
/** Bit of register 0: the card is stopped. */
const STOPPED = 4;

/** Unit pcnet, of the cards for PCI. What the PHY tells, QEMU makes up by itself. */
export const pcnet: readonly Correspondence[] = [
  ...sameEach('state.', '', [
    ['rap', 'rap'],
    ['isr', 'isr'],
    ['lnkst', 'linkState'],
    ['rdra', 'receiveRing'],
    ['tdra', 'transmitRing'],
  ]),
  sameBytes('state.prom', 'prom'),
  ...sameList('state.csr', 'csr', REGISTERS),
  ...sameList('state.bcr', 'bcr', BUS_REGISTERS),
  // A card that works looks at its rings again and again: at once, and from then on by itself.
  computed('state.poll_timer', (part: UnitPart, { now }) =>
    ((part as unknown as Pcnet).csr[0] & STOPPED) !== 0 ? -1n : now,
  ),
];
