import { array, u8, u16, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { nested, s32, x8, x16, x32 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const STREAMS = 3;
const MIXER_REGISTERS = 128;

const stream = defineStruct('Stream, ichac97 version 1', 'device-units.md', {
  descriptors: { kind: x32, doc: 'guest-physical address of the list of buffers' },
  current: { kind: u8, doc: 'index in the list' },
  last: { kind: u8, doc: 'last valid index in the list' },
  status: { kind: x16, doc: '' },
  position: { kind: u16, doc: 'samples left in the buffer' },
  prefetched: { kind: u8, doc: 'index in the list' },
  control: { kind: x8, doc: '' },
  isBufferValid: { kind: s32, doc: '' },
  bufferAddress: { kind: x32, doc: 'guest-physical address' },
  bufferControl: { kind: x32, doc: 'samples, and flags for the end' },
});

const ac97 = defineStruct('Unit ichac97, version 1', 'device-units.md', {
  globalControl: { kind: x32, doc: '' },
  globalStatus: { kind: x32, doc: '' },
  accessSemaphore: { kind: u32, doc: '' },
  streams: { kind: array(nested(stream), STREAMS), doc: 'line in, line out, microphone' },
  mixer: { kind: array(x16, MIXER_REGISTERS), doc: 'registers; those at 3e and 3f are the codec' },
  active: { kind: array(u8, STREAMS), doc: 'the stream runs' },
});

/** Intel ICH AC'97 audio. */
export const ac97Row: UnitRow = { unit: 'ichac97', versions: versions(1), codec: codecOf(ac97) };
