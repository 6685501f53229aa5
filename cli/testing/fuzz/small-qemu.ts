import { PAGE_SIZE } from '../../../formats/sizes.ts';

// States of QEMU as small as they can be: a fuzzer changes and tries short inputs quickest.

const RAM_SECTION = 2;
const CLOCK_SECTION = 0;
const PAGES = 2;
const FOOTER = 0x7e;
const FLAGS = { zero: 0x02, size: 0x04, page: 0x08, end: 0x10, sameBlock: 0x20 };

/** A stream of a machine with little memory and a clock. @param isDescribed ends with the description of its sections */
export function smallStream(isDescribed = true): Buffer {
  const machine = 'pc-i440fx-10.0';
  const ram = [
    ...[section(1, RAM_SECTION), label('ram'), u32(0), u32(4)],
    ...[u64(PAGES * PAGE_SIZE + FLAGS.size), label('pc.ram'), u64(PAGES * PAGE_SIZE), u64(FLAGS.end)],
    ...[footer(RAM_SECTION), section(3, RAM_SECTION)],
    ...[u64(FLAGS.zero), label('pc.ram'), Buffer.of(0)],
    ...[u64(PAGE_SIZE + FLAGS.page + FLAGS.sameBlock), Buffer.alloc(PAGE_SIZE, 'guest')],
    ...[u64(FLAGS.end), footer(RAM_SECTION)],
  ];
  const clock = [section(4, CLOCK_SECTION), label('timer'), u32(0), u32(2), Buffer.alloc(24), footer(CLOCK_SECTION)];
  const fields = [
    { name: 'unused', type: 'unused_buffer', size: 8 },
    { name: 'cpu_clock_offset', type: 'int64', size: 8 },
    { name: 'cpu_ticks_offset', type: 'int64', size: 8 },
  ];
  const devices = [{ name: 'timer', instance_id: 0, vmsd_name: 'timer', version: 2, fields }];
  const description = Buffer.from(JSON.stringify({ page_size: PAGE_SIZE, devices }));
  return Buffer.concat([
    ...[Buffer.from('QEVM'), u32(3), Buffer.of(7), u32(machine.length), Buffer.from(machine), ...ram, ...clock],
    Buffer.of(0),
    ...(isDescribed ? [Buffer.of(6), u32(description.length), description] : []),
  ]);
}

const CLUSTER_BITS = 9;
const CLUSTER = 2 ** CLUSTER_BITS;
/** Clusters in the order of the image. */
const PLACE = { counts: 1, countBlock: 2, snapshots: 3, l1: 4, l2: 5, state: 6 };

/** An image of an empty disk with a stream as its snapshot 1. Source: qemu-stream.md 7. */
export function smallImage(stream: Buffer): Buffer {
  const used = Math.ceil(stream.length / CLUSTER);
  const image = Buffer.alloc((PLACE.state + used) * CLUSTER);
  const at = (place: number) => place * CLUSTER;
  const header = [Buffer.from('514649fb', 'hex'), u32(3), u64(0), u32(0), u32(CLUSTER_BITS), u64(0), u32(0), u32(1)];
  const tables = [u64(at(PLACE.l1)), u64(at(PLACE.counts)), u32(1), u32(1), u64(at(PLACE.snapshots))];
  Buffer.concat([...header, ...tables, u64(0), u64(0), u64(0), u32(4), u32(104)]).copy(image);
  image.writeBigUInt64BE(BigInt(at(PLACE.countBlock)), at(PLACE.counts));
  for (let i = 0; i < PLACE.state + used; i++) image.writeUInt16BE(1, at(PLACE.countBlock) + 2 * i);
  const entry = [u64(at(PLACE.l1)), u32(1), Buffer.from('00010001', 'hex'), u32(0), u32(0), u64(0)];
  Buffer.concat([...entry, u32(stream.length), u32(16), u64(stream.length), u64(0), Buffer.from('1s')]).copy(
    image,
    at(PLACE.snapshots),
  );
  image.writeBigUInt64BE(BigInt(at(PLACE.l2)) | COPIED, at(PLACE.l1));
  for (let i = 0; i < used; i++) image.writeBigUInt64BE(BigInt(at(PLACE.state + i)) | COPIED, at(PLACE.l2) + 8 * i);
  stream.copy(image, at(PLACE.state));
  return image;
}

/** Mark of an entry whose table or cluster has no other user. */
const COPIED = 1n << 63n;

function section(kind: number, id: number): Buffer {
  return Buffer.concat([Buffer.of(kind), u32(id)]);
}

function footer(id: number): Buffer {
  return section(FOOTER, id);
}

function label(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
