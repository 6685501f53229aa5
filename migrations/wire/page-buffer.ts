import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { FRAME_HEADER_SIZE, PAGE_ENTRY_SIZE, PAGES_HEAD_SIZE } from './frames.ts';
import { FRAME_PAGES, MAX_PAGES_PAYLOAD } from './limits.ts';

/** Start of contents in a buffer. The table of pages, whatever its length, ends right before. */
export const PLAIN_AT = Math.ceil((FRAME_HEADER_SIZE + PAGES_HEAD_SIZE + FRAME_PAGES * PAGE_ENTRY_SIZE) / 8) * 8;

/**
 * A buffer in which a frame of pages is built, and from which it is sent. It lies in the kernels' memory, if there is
 * room, so that they need no copy.
 */
export class PageBuffer {
  readonly bytes: Uint8Array = takeBuffer(FRAME_HEADER_SIZE + MAX_PAGES_PAYLOAD + PAGE_SIZE);
  readonly view: DataView = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);

  /** Gives the buffer back; it may not be used afterwards. */
  giveBack(): void {
    returnBuffer(this.bytes);
  }
}
