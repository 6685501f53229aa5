import { bool, u32 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, fill, nested, oneOf, x32, x64 } from '../codec/kinds.ts';
import { toldFacts, type UnitRow, versions } from '../codec/unit-row.ts';

const HALTED = 6;

const execution = defineStruct('How a CPU executes, em versions 2–5', 'device-units.md', {
  forced: { kind: bool, doc: 'always off' },
  state: {
    kind: oneOf(u32, { 1: 'runs', [HALTED]: 'halted', 7: 'waits for a start-up message' }),
    doc: 'activity of the CPU',
    since: 3,
  },
  mwait: { kind: x32, doc: 'flags of MWAIT', since: 4 },
  ...fields(
    x64,
    ['mwaitRax', 'mwaitRcx', 'monitorRax', 'monitorRcx', 'monitorRdx'],
    'registers of MWAIT and MONITOR',
    4,
  ),
});

const em = defineStruct('Unit em, versions 2–5', 'device-units.md', {
  cpus: { kind: (_: unknown, version: number) => fill(nested(execution, version)), doc: 'one entry for each CPU' },
});

export type Em = StructValue<typeof em>;
export const emCodec = codecOf(em);
/** Execution state of each CPU. */
export const emRow: UnitRow = {
  unit: 'em',
  instance: 0,
  versions: versions(2, 5),
  facts: toldFacts(emCodec, ({ cpus }) => ({
    pending: cpus.flatMap(({ state }, cpu) =>
      state === HALTED ? [`CPU ${cpu} is halted until an interrupt comes`] : [],
    ),
  })),
  codec: emCodec,
};
