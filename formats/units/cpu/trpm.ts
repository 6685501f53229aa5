import { bool, u8 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fill, nested, oneOf, x32, x64 } from '../codec/kinds.ts';
import { toldFacts, type UnitRow, versions } from '../codec/unit-row.ts';

const NONE = 0xffffffff;

const TYPES: Readonly<Record<number, string>> = {
  0: 'trap',
  1: 'hardware interrupt',
  2: 'software interrupt',
  3: 'NMI',
  [NONE]: 'none',
};

const pending = defineStruct('Trap that is being delivered to a CPU, trpm versions 10–11', 'device-units.md', {
  vector: { kind: oneOf(x32, { [NONE]: 'none' }), doc: 'number of the pending interrupt or exception' },
  type: {
    kind: oneOf(x32, TYPES),
    doc: 'source of the interrupt or exception',
  },
  errorCode: { kind: x32, doc: 'error code of an exception; 0xdeadface: none' },
  cr2: { kind: x64, doc: 'address of a page fault' },
  instructionLength: { kind: u8, doc: 'bytes of the instruction that has raised a software interrupt' },
  icebp: { kind: bool, doc: 'raised by ICEBP' },
});

const trpm = defineStruct('Unit trpm, versions 10–11', 'device-units.md', {
  cpus: { kind: fill(nested(pending)), doc: 'one entry for each CPU' },
});

export type Trpm = StructValue<typeof trpm>;
export const trpmCodec = codecOf(trpm);
/** Interrupts and exceptions on their way to a CPU. */
export const trpmRow: UnitRow = {
  unit: 'trpm',
  instance: 1,
  versions: versions(10, 11),
  facts: toldFacts(trpmCodec, ({ cpus }) => ({
    pending: cpus.flatMap(({ vector, type }, cpu) =>
      vector === NONE ? [] : [`CPU ${cpu}: ${TYPES[type] ?? 'event'} 0x${vector.toString(16)} is being delivered`],
    ),
  })),
  codec: trpmCodec,
};
