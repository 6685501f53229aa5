import { type Correspondence, converted, sameEach } from '../../template/correspondence.ts';

/** Bits of the line status: nothing to send. The state does not hold the contents of FIFOs. */
const SENT = 0x60n;

/** Unit serial. */
export const serialPort: readonly Correspondence[] = [
  ...sameEach('state.', '', [
    ['divider', 'divisor'],
    ['rbr', 'rbr'],
    ['ier', 'ier'],
    ['iir', 'iir'],
    ['lcr', 'lcr'],
    ['mcr', 'mcr'],
    ['msr', 'msr'],
    ['scr', 'scr'],
    ['fcr_vmstate', 'fcr'],
  ]),
  converted(
    'state.lsr',
    'lsr',
    (lsr) => lsr | SENT,
    (lsr) => lsr,
  ),
];
