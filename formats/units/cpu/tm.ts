import { bool, u64 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fill, x64 } from '../codec/kinds.ts';
import { toldFacts, type UnitRow, versions } from '../codec/unit-row.ts';

const TSC_FREQUENCY_SIZE = 8;

const tm = defineStruct('Unit tm, version 3', 'device-units.md', {
  virtualHz: { kind: u64, doc: 'ticks per second of the virtual clock' },
  virtual: { kind: x64, doc: 'virtual clock, in ns' },
  virtualSync: { kind: x64, doc: "clock of the guest's timers, in ns" },
  offset: { kind: x64, doc: 'lag of that clock, in ns' },
  givenUp: { kind: x64, doc: 'lag that the clock has given up, in ns' },
  catchUpPrevious: { kind: x64, doc: 'time of the last catch-up step, in ns' },
  catchUp: { kind: bool, doc: 'whether it is catching up' },
  realHz: { kind: u64, doc: 'ticks per second of the real clock' },
  tsc: { kind: fill(x64, TSC_FREQUENCY_SIZE), doc: 'time stamp counter, by CPU' },
  tscHz: { kind: u64, doc: 'ticks per second of the time stamp counter' },
});

export type Tm = StructValue<typeof tm>;
export const tmCodec = codecOf(tm);
/** The clocks. */
export const tmRow: UnitRow = {
  unit: 'tm',
  instance: 1,
  versions: versions(3),
  facts: toldFacts(tmCodec, ({ virtual }) => ({ ranNs: virtual })),
  codec: tmCodec,
};
