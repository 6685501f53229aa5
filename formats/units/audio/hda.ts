import { array, bool, bytes, u8, u32 } from '../../binary/kinds.ts';
import { begin, end } from '../../binary/markers.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { fields, list, nested, x32, x64 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const PARAMETERS = 20;
const COMMAND_PARAMETERS = 16;
const NODE_STATE = 66;

const node = defineStruct('Node of the codec, hda version 8', 'device-units.md', {
  begin,
  id: { kind: u8, doc: '' },
  parameters: {
    kind: array(x32, PARAMETERS),
    doc: 'read by the guest with verb F00; the first of node 0 names the codec',
  },
  connections: { kind: array(x32, COMMAND_PARAMETERS), doc: 'read by the guest with verb F02' },
  state: {
    kind: array(x32, NODE_STATE),
    doc: 'state, which depends on the kind of the node: volumes, converters, pins',
  },
  end,
});

const stream = defineStruct('Stream, hda version 8', 'device-units.md', {
  id: { kind: u8, doc: '' },
  stateBegin: begin,
  ...fields(u8, ['descriptor', 'descriptorHigh'], 'buffer descriptor that is played'),
  inReset: { kind: bool, doc: '' },
  nextTransfer: { kind: x64, doc: 'time of the next transfer, in ticks of the timer' },
  stateEnd: end,
  descriptorBegin: begin,
  address: { kind: x64, doc: 'guest-physical address of the buffer' },
  length: { kind: u32, doc: 'bytes' },
  flags: { kind: x32, doc: 'bit 0: interrupt at its end' },
  descriptorEnd: end,
  positionBegin: begin,
  ...fields(u32, ['index', 'belowFifo', 'offset']),
  positionEnd: end,
  bufferSize: { kind: u32, doc: 'bytes' },
  bufferUsed: { kind: u32, doc: 'bytes of sound that wait in the buffer' },
  buffer: { kind: ({ bufferUsed }: { bufferUsed: number }) => bytes(bufferUsed), doc: '' },
});

const hda = defineStruct('Unit hda, version 8', 'device-units.md', {
  nodeCount: { kind: u32, doc: '' },
  nodes: { kind: ({ nodeCount }: { nodeCount: number }) => list(nested(node), nodeCount), doc: 'nodes of the codec' },
  registerCount: { kind: u32, doc: '' },
  registers: {
    kind: ({ registerCount }: { registerCount: number }) => list(x32, registerCount),
    doc: 'values of the registers, in the order of their table',
  },
  clockStart: { kind: x64, doc: 'start of the wall clock, in ticks of the timer' },
  interruptLevel: { kind: u8, doc: '' },
  streamCount: { kind: u32, doc: '' },
  streams: { kind: ({ streamCount }: { streamCount: number }) => list(nested(stream), streamCount), doc: '' },
});

/** Intel High Definition Audio. */
export const hdaRow: UnitRow = { unit: 'hda', versions: versions(8), codec: codecOf(hda) };
