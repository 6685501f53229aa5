import { QemuStreamWriter } from '../../formats/qemu/writing/stream-writer.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';

/** The bytes after the memory: an end mark, and a description without devices. */
export const TAIL = Uint8Array.of(0x00, 0x06, 0, 0, 0, 2, 0x7b, 0x7d);

/**
 * A stream of a QEMU that hands out memory: blocks of some pages, all of them filled with one byte each.
 * @param blocks pages by name
 */
export async function handedOut(blocks: Readonly<Record<string, number>>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const sink = { write: async (bytes: Uint8Array) => void pieces.push(bytes.slice()) };
  const writer = await QemuStreamWriter.begin(sink, {
    configuration: { machine: 'pc-i440fx-7.2', capabilities: [] },
    blocks: Object.entries(blocks).map(([name, pages]) => ({ name, size: pages * PAGE_SIZE })),
    ramId: 2,
  });
  for (const block of writer.blocks.all)
    for (let page = 0; page * PAGE_SIZE < block.size; page++)
      await writer.put(block, page * PAGE_SIZE, {
        decode: (_i, target, to) => void target.fill(block.id + 1, to, to + PAGE_SIZE),
      });
  await writer.endMemory();
  await writer.endWith(TAIL);
  writer.release();
  return Buffer.concat(pieces);
}
