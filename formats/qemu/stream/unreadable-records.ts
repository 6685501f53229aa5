import { hex } from '../../errors.ts';
import type { ReadableParts } from '../../files/readable-parts.ts';
import type { Window } from '../../files/window.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { QemuFormatError } from '../qemu-error.ts';
import type { RamBlock, RamBlocks } from '../ram-blocks.ts';
import { type FoundRecords, findRecords, SEARCHED } from './find-records.ts';

/** A stretch of records of RAM that the disk cannot read. */
export interface RamGap {
  /** Offset of the first record. */
  start: number;
  /** Exclusive: offset of the next record. */
  end: number;
  /** Whether it is known which pages were there. */
  isTold: boolean;
}

/** Facts about the records before a gap. */
interface Before {
  blocks: RamBlocks;
  /** The page of the last record. */
  last: { block: RamBlock; address: number } | undefined;
  /** Id of the section. */
  section: number;
}

/**
 * Moves the window to the first record after the unreadable bytes.
 * @returns the gap, the block of that record, and the pages that are lost, as far as they are known
 * @throws QemuFormatError where no such record can be told
 */
export async function skipUnreadable(
  window: Window,
  parts: ReadableParts | undefined,
  { blocks, last, section }: Before,
): Promise<{ gap: RamGap } & Pick<FoundRecords, 'block' | 'lost'>> {
  const { offset: start } = window;
  const badAfter = (at: number) => parts?.badIn(at, at + SEARCHED + PAGE_SIZE);
  for (let bad = badAfter(start); bad; bad = badAfter(bad.end)) {
    await window.seek(bad.end);
    await window.refill();
    const { offset, position } = window;
    const bytes = window.bytes.subarray(position, position + Math.min(window.available, SEARCHED));
    const found = findRecords(bytes, blocks, {
      before: offset - start,
      last,
      section,
      isMadeUp: (from, to) => parts?.badIn(offset + from, offset + to) !== undefined,
    });
    if (!found) continue;
    const { at, block, lost } = found;
    window.position += at;
    return { gap: { start, end: window.offset, isTold: lost !== undefined }, block, lost };
  }
  const message = `Cannot read RAM record at ${hex(start)}: the disk does not give it, nor where records go on`;
  throw new QemuFormatError('unreadable', message, { offset: start });
}
