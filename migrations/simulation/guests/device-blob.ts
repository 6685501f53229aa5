import { IGNORE_SHARED } from '../../../formats/qemu/constants.ts';
import { QemuStreamWriter } from '../../../formats/qemu/writing/stream-writer.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { handedOut, TAIL } from '../../testing/handed-out.ts';

/** Devices as a simulated QEMU saves them. */
export interface Devices {
  /** Steps that the guest has executed so far. */
  ticks: number;
  /** The guest ran when its devices were saved. */
  ran: boolean;
}

/** Bytes of the number after the devices. */
const SIZE = 4;

/**
 * Forms of a stream before its devices, by the treatment of memory: QEMU has left shared memory out; the stream never
 * had any; QEMU hands all of it out; savkit has stripped memory that QEMU has handed out.
 */
export type StreamForm = 'leftOut' | 'whole' | 'handedOut' | 'stripped';
let heads: Record<StreamForm, Buffer> | undefined;

/** Makes the beginnings of streams, before a simulated world is entered. @param pages of the guest */
export async function learnHeads(pages: number): Promise<void> {
  heads = {
    leftOut: heads?.leftOut ?? (await headWith([IGNORE_SHARED])),
    whole: heads?.whole ?? (await headWith([])),
    handedOut: Buffer.from(await handedOut({ 'pc.ram': pages })),
    stripped: await headWith([], pages),
  };
}

/** A stream as QEMU writes it. */
export function devicesAsStream(devices: Devices, form: StreamForm): Buffer {
  const text = Buffer.from(JSON.stringify(devices));
  const end = Buffer.alloc(SIZE);
  end.writeUInt32BE(text.length);
  return Buffer.concat([headOf(form), text, end]);
}

/** @returns undefined for bytes that are not whole, or of a QEMU with another setting */
export function devicesOf(stream: Buffer, leavesMemory: boolean): Devices | undefined {
  const forms: readonly StreamForm[] = leavesMemory ? ['leftOut'] : ['whole', 'stripped'];
  const head = forms.map(headOf).find((each) => stream.subarray(0, each.length).equals(each));
  if (head === undefined || stream.length < head.length + SIZE) return undefined;
  const text = stream.subarray(head.length, -SIZE);
  return text.length === stream.readUInt32BE(stream.length - SIZE) ? JSON.parse(text.toString()) : undefined;
}

function headOf(form: StreamForm): Buffer {
  if (!heads) throw new Error('learnHeads() comes first');
  return heads[form];
}

async function headWith(capabilities: string[], dropped = 0): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const sink = { write: async (bytes: Uint8Array) => void pieces.push(bytes.slice()) };
  const configuration = { machine: 'pc-i440fx-7.2', capabilities };
  const blocks = dropped === 0 ? [] : [{ name: 'pc.ram', size: dropped * PAGE_SIZE }];
  const names = new Set(blocks.map(({ name }) => name));
  const writer = await QemuStreamWriter.begin(sink, { configuration, blocks, ramId: 2, dropped: names });
  await writer.endMemory();
  await writer.endWith(TAIL);
  writer.release();
  return Buffer.concat(pieces);
}
