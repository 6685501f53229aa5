import { crc32 } from '../../formats/binary/crc32.ts';
import { Cursor } from '../../formats/binary/cursor.ts';
import { u32, u64 } from '../../formats/binary/kinds.ts';
import { defineStruct, type StructValue } from '../../formats/binary/struct.ts';
import { Writer } from '../../formats/binary/writer.ts';

/** "SAVKITWL", little-endian. */
const MAGIC_LOW = 0x4b564153;
const MAGIC_HIGH = 0x4c575449;
const VERSION = 1;

/**
 * The state of a workload. It lies in guest memory, so that the workload moves with the memory, and continues there.
 */
const controlBlock = defineStruct('Control block of a workload', 'savkit', {
  magicLow: { kind: u32, doc: '"SAVK"' },
  magicHigh: { kind: u32, doc: '"ITWL"' },
  version: { kind: u32, doc: '1' },
  kind: { kind: u32, doc: 'index in WORKLOAD_KINDS' },
  seed: { kind: u32, doc: 'seed of all random choices' },
  patternSize: { kind: u32, doc: 'bytes written by a step' },
  rate: { kind: u32, doc: 'steps per second' },
  places: { kind: u32, doc: 'pages worked on' },
  steps: { kind: u64, doc: 'steps done' },
  ticks: { kind: u64, doc: 'time slices so far' },
  lowStart: { kind: u64, doc: "first page of the workload's memory below 4 GiB" },
  lowPages: { kind: u32, doc: 'pages there' },
  highPages: { kind: u32, doc: "pages of the workload's memory from 4 GiB on" },
  traceStart: { kind: u64, doc: 'address of the trace, places as u32; 0 without a trace' },
  traceLength: { kind: u32, doc: 'places in the trace' },
  intervalMs: { kind: u32, doc: 'milliseconds between two ends of intervals in the trace' },
});

type Stored = StructValue<typeof controlBlock>;
export type ControlBlock = Omit<Stored, 'magicLow' | 'magicHigh' | 'version'>;

/** Bytes of a block, with the CRC after the fields. */
export const CONTROL_SIZE = controlBlock.size() + 4;

/** Writes a block with its CRC into `target`. */
export function writeControl(block: ControlBlock, target: Uint8Array): void {
  const writer = new Writer(undefined, CONTROL_SIZE);
  controlBlock.write(writer, { magicLow: MAGIC_LOW, magicHigh: MAGIC_HIGH, version: VERSION, ...block });
  writer.u32(crc32(writer.view()));
  target.set(writer.view());
}

/** The block in `bytes`; undefined if there is no whole one. */
export function readControl(bytes: Uint8Array): ControlBlock | undefined {
  const cursor = new Cursor(bytes);
  const { magicLow, magicHigh, version, ...block } = controlBlock.read(cursor);
  const isBlock = magicLow === MAGIC_LOW && magicHigh === MAGIC_HIGH && version === VERSION;
  return isBlock && cursor.u32() === crc32(bytes.subarray(0, CONTROL_SIZE - 4)) ? block : undefined;
}
