import { hex, InterruptedError, UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import type { RamBlock } from '../../formats/qemu/ram-blocks.ts';
import { QemuStreamWriter } from '../../formats/qemu/writing/stream-writer.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { Turns } from '../../formats/turns.ts';
import type { Vga } from '../../formats/units/display/codecs.ts';
import type { GuestImage } from './guest-image.ts';
import { gapMemory } from './ram-plan.ts';
import type { Template } from './template/template.ts';
import { isText, textToQemu } from './video-memory.ts';

/** Name of the block of the VGA's memory, after the path of the device. */
const VIDEO_BLOCK = /vga\.vram$/;

export interface WrittenMachine {
  sink: ByteSink;
  /** Template whose sections hold the state already. */
  template: Template;
  image: GuestImage;
  vga: Vga | undefined;
  signal?: AbortSignal;
  /** Called now and then with bytes of RAM that are written. */
  onProgress?: (done: number, total: number) => void;
}

/** Writes the stream for QEMU: the state's memory, and the template's devices with the state's values. */
export async function writeWoken({ sink, template, image, vga, signal, onProgress }: WrittenMachine): Promise<void> {
  const { configuration, blocks, ramId, sections, description } = template;
  const writer = await QemuStreamWriter.begin(sink, { configuration, blocks, ramId });
  const turns = Turns.rare(signal);
  const pages = new Pages(writer, async (done) => {
    if (signal?.aborted) throw new InterruptedError();
    if (!turns.areDue) return;
    onProgress?.(done, image.ramSize);
    await turns.give();
  });
  try {
    const { stretches, ramSize } = image.plan;
    const [ram, another] = writer.blocks.all.filter(({ isRam }) => isRam);
    const gaps = image.plan.gaps.map((_, i) => writer.blocks.all.find(({ name }) => name.endsWith(`/${gapMemory(i)}`)));
    if (another || ram?.size !== ramSize)
      throw new UnsupportedError(
        'other-qemu',
        `Cannot put the state into this QEMU: it has ${ram?.size ?? 0} bytes of RAM, expected ${ramSize}`,
      );
    for (const { gcPhys, block, offset, size } of stretches) {
      const target = block === 'ram' ? ram : gaps[block];
      if (target?.size !== undefined && target.size >= offset + size)
        await pages.copy(target, offset, size, (piece, at) => image.read(piece, gcPhys + at));
      else
        throw new UnsupportedError(
          'other-qemu',
          `Cannot put the state into this QEMU: it has no RAM at ${hex(gcPhys)}`,
        );
    }
    const video = writer.blocks.all.find(({ name }) => VIDEO_BLOCK.test(name));
    if (video && image.video) await copyVideo(pages, video, image.video, vga);
    for (const block of writer.blocks.all.filter((each) => !each.isRam && each !== video && !gaps.includes(each)))
      await pages.copy(block, 0, block.size, async (target) => void target.fill(0));
    for (const { block, offset, bytes } of template.firmware) await pages.put(writer.blocks.all[block], offset, bytes);
    await writer.endMemory();
    for (const { id, name, instance, version, body } of sections)
      await writer.device({ id, name, instance, version, body });
    await writer.end(description);
  } finally {
    writer.release();
  }
}

/** Copies video memory, at most 256 MiB; in text modes the first half MiB only. */
async function copyVideo(pages: Pages, block: RamBlock, video: ByteSource, vga: Vga | undefined): Promise<void> {
  const start = new Uint8Array(Math.min(MIB, video.size ?? 0));
  await video.read(start, 0);
  if (vga && isText(vga)) textToQemu(start);
  await pages.copy(block, 0, block.size, async (target, at) => {
    if (at + target.length <= start.length) target.set(start.subarray(at, at + target.length));
    else target.fill(0, await video.read(target, at));
  });
}

/** Reads memory in pieces of 1 MiB, and passes on their pages. */
class Pages {
  readonly #writer: QemuStreamWriter;
  readonly #onPiece: (done: number) => Promise<void>;
  readonly #piece = new Uint8Array(MIB);
  #page: Uint8Array = this.#piece;
  #at = 0;
  readonly #content = {
    decode: (_: number, target: Uint8Array, to: number) =>
      target.set(this.#page.subarray(this.#at, this.#at + PAGE_SIZE), to),
  };

  constructor(writer: QemuStreamWriter, onPiece: (done: number) => Promise<void>) {
    this.#writer = writer;
    this.#onPiece = onPiece;
  }

  async copy(
    block: RamBlock,
    start: number,
    size: number,
    read: (target: Uint8Array, at: number) => Promise<void>,
  ): Promise<void> {
    for (let done = 0; done < size; done += this.#piece.length) {
      const piece = this.#piece.subarray(0, Math.min(this.#piece.length, size - done));
      await read(piece, done);
      this.#page = piece;
      for (this.#at = 0; this.#at < piece.length; this.#at += PAGE_SIZE)
        await this.#writer.put(block, start + done + this.#at, this.#content);
      await this.#onPiece(start + done);
    }
  }

  async put(block: RamBlock, offset: number, page: Uint8Array): Promise<void> {
    this.#page = page;
    this.#at = 0;
    await this.#writer.put(block, offset, this.#content);
  }
}
