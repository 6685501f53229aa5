import { type Correspondence, same, sameEach, sameTimer } from '../../template/correspondence.ts';

const CHANNEL = [
  ['count', 'count'],
  ['latched_count', 'latchedCount'],
  ['count_latched', 'countLatched'],
  ['status_latched', 'statusLatched'],
  ['status', 'status'],
  ['read_state', 'readState'],
  ['write_state', 'writeState'],
  ['write_latch', 'writeLatch'],
  ['rw_mode', 'rwMode'],
  ['mode', 'mode'],
  ['bcd', 'bcd'],
  ['gate', 'gate'],
  ['count_load_time', 'loaded'],
  ['next_transition_time', 'nextTransition'],
] as const;

/** Unit i8254. */
export const intervalTimer: readonly Correspondence[] = [
  ...['channel0.channel.', 'channel1.', 'channel2.'].flatMap((channel, i) =>
    sameEach(`channels[${i}].`, channel, CHANNEL),
  ),
  sameTimer('channels[0].next_transition_time#2', 'channel0.timer'),
  same('channels[0].irq_disabled', 'disabledByHpet'),
];

/** The speaker, a part of unit i8254. */
export const speaker: readonly Correspondence[] = [
  same('data_on', 'speakerOn'),
  same('dummy_refresh_clock', 'refreshClock'),
];
