import { CompressingSink } from '../../../formats/files/compressing-sink.ts';
import type { ByteSink, ReadableSink, SeekableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageBatch } from '../../../formats/pgm/page-batch.ts';
import { libvirtHead } from '../../../formats/qemu/writing/libvirt-head.ts';
import { QemuStreamWriter } from '../../../formats/qemu/writing/stream-writer.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { compressionOf } from './forms.ts';
import type { QemuConvertPlan } from './plan-conversion.ts';

export interface WriteQemuOptions extends Pick<WalkOptions, 'onProgress' | 'signal'> {
  /** Gets the RAM that the state leaves out. */
  ramSink?: SeekableSink;
}

/** Reads a state once more, and writes it as planned. */
export async function writeQemuState(
  source: ByteSource,
  sink: ReadableSink,
  plan: QemuConvertPlan,
  { ramSink, ...options }: WriteQemuOptions,
): Promise<void> {
  const head = await writeHead(sink, plan);
  const compression = compressionOf(plan.to);
  if (compression === undefined || compression === 'raw' || compression === 'sparse')
    return writeStream(source, sink, head, plan, options, ramSink);
  const compressor = new CompressingSink(sink, compression);
  try {
    await writeStream(source, compressor, 0, plan, options, ramSink);
    await compressor.end();
  } finally {
    compressor.abort();
  }
}

/** @returns bytes before the stream */
async function writeHead(sink: ByteSink, { libvirt, to }: QemuConvertPlan): Promise<number> {
  const compression = compressionOf(to);
  if (!libvirt || !compression) return 0;
  const head = libvirtHead({ ...libvirt, compression });
  await sink.write(head);
  return head.length;
}

async function writeStream(
  source: ByteSource,
  sink: ByteSink | ReadableSink,
  start: number,
  plan: QemuConvertPlan,
  options: Pick<WalkOptions, 'onProgress' | 'signal'>,
  ramSink: SeekableSink | undefined,
): Promise<void> {
  const { leftOut, stream, keepsDescription } = plan;
  const files = leftOut && ramSink ? new Map([[leftOut.name, ramSink]]) : undefined;
  const writer = await QemuStreamWriter.begin(sink, { ...stream, leftOut: files }, start);
  try {
    const pages = { take: (batch: PageBatch) => writer.take(batch) };
    const state: QemuState = await readQemuState(source, {
      ...{ ...options, sink: pages, unfinished: true },
      layout: stream.layout,
    });
    await writer.endMemory(state.otherSections);
    for (const device of state.devices) await writer.device(device);
    await writer.end(keepsDescription ? state.descriptionJson : undefined);
    if (leftOut) await ramSink?.truncate(leftOut.size);
  } finally {
    writer.release();
  }
}
