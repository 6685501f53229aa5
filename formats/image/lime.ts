import { u32, u64 } from '../binary/kinds.ts';
import { defineStruct } from '../binary/struct.ts';
import { Writer } from '../binary/writer.ts';
import type { Extent, ImageLayout, MemoryRange } from './extents.ts';

/** A LiME image is a sequence of headers, each followed by its memory (core-dump.md 3). */
export const limeHeader = defineStruct('LiME range header', 'lime.h, lime_mem_range_header', {
  magic: { kind: u32, doc: '0x4C694D45' },
  version: { kind: u32, doc: '1' },
  first: { kind: u64, doc: 'first physical address' },
  last: { kind: u64, doc: 'last physical address, inclusive' },
  reserved: { kind: u64, doc: '0' },
});

const LIME_MAGIC = 0x4c694d45;

/** @param ranges whole pages, ascending, no overlap, as all readers of the format demand */
export function limeLayout(ranges: readonly MemoryRange[]): ImageLayout {
  const layout: ImageLayout = { size: 0, extents: [], fixed: [] };
  for (const { start, end } of ranges) {
    const writer = new Writer();
    limeHeader.write(writer, { magic: LIME_MAGIC, version: 1, first: start, last: end - 1, reserved: 0 });
    layout.fixed.push({ offset: layout.size, bytes: writer.view().slice() });
    const extent: Extent = { start, end, offset: layout.size + writer.length };
    layout.extents.push(extent);
    layout.size = extent.offset + end - start;
  }
  return layout;
}
