import { IGNORE_SHARED } from '../../../formats/qemu/constants.ts';
import { QemuStreamWriter } from '../../../formats/qemu/writing/stream-writer.ts';
import { TAIL } from '../../testing/handed-out.ts';

/** What a simulated QEMU saves as its devices. */
export interface Devices {
  /** What its guest has done so far. */
  ticks: number;
  /** The guest ran when they were saved. */
  ran: boolean;
}

/** Bytes of the number behind the devices. */
const SIZE = 4;
let heads: Record<'leftOut' | 'whole', Buffer> | undefined;

/** Makes the beginnings of streams, before a simulated world is entered. */
export async function learnHeads(): Promise<void> {
  heads ??= { leftOut: await headWith([IGNORE_SHARED]), whole: await headWith([]) };
}

/** A stream as QEMU writes it. @param leavesMemory shared memory is left out of it */
export function devicesAsStream(devices: Devices, leavesMemory: boolean): Buffer {
  const text = Buffer.from(JSON.stringify(devices));
  const end = Buffer.alloc(SIZE);
  end.writeUInt32BE(text.length);
  return Buffer.concat([headOf(leavesMemory), text, end]);
}

/** @returns undefined for bytes that are not whole, or of a QEMU with another setting */
export function devicesOf(stream: Buffer, leavesMemory: boolean): Devices | undefined {
  const head = headOf(leavesMemory);
  if (!stream.subarray(0, head.length).equals(head) || stream.length < head.length + SIZE) return undefined;
  const text = stream.subarray(head.length, -SIZE);
  return text.length === stream.readUInt32BE(stream.length - SIZE) ? JSON.parse(text.toString()) : undefined;
}

function headOf(leavesMemory: boolean): Buffer {
  if (!heads) throw new Error('learnHeads() comes first');
  return leavesMemory ? heads.leftOut : heads.whole;
}

async function headWith(capabilities: string[]): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const sink = { write: async (bytes: Uint8Array) => void pieces.push(bytes.slice()) };
  const configuration = { machine: 'pc-i440fx-7.2', capabilities };
  const writer = await QemuStreamWriter.begin(sink, { configuration, blocks: [], ramId: 2 });
  await writer.endMemory();
  await writer.endWith(TAIL);
  writer.release();
  return Buffer.concat(pieces);
}
