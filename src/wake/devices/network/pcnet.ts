import type { Pcnet } from '../../../../formats/units/network/codecs.ts';
import { type Correspondence, computed, sameBytes, sameEach, sameList } from '../../template/correspondence.ts';

/** Bus configuration registers that VirtualBox and QEMU both save. */
const BUS_REGISTERS = 32;
const REGISTERS = 128;
/** Bit of register 0: the card is stopped. */
const STOPPED = 4;

/** Unit pcnet, of PCI cards. QEMU computes registers of the PHY itself. */
export const pcnet: readonly Correspondence<Pcnet>[] = [
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
  // A running card polls its descriptor rings: the first time at once, after that by its own timer.
  computed('state.poll_timer', (part: Pcnet, { now }) => ((part.csr[0] & STOPPED) !== 0 ? -1n : now)),
];
