import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { FRAME_HEADER_SIZE, PAGE_ENTRY_SIZE, PAGES_HEAD_SIZE } from './frames.ts';
import { FRAME_PAGES, MAX_PAGES_PAYLOAD } from './limits.ts';

/** Where contents start in a buffer; the table of pages, however many there are, ends right before it. */
export const PLAIN_AT = Math.ceil((FRAME_HEADER_SIZE + PAGES_HEAD_SIZE + FRAME_PAGES * PAGE_ENTRY_SIZE) / 8) * 8;

/**
 * A buffer in which a frame of pages is built in place, and sent from; where kernels work on it without copying, if
 * there is room.
 */
export class PageBuffer {
  readonly bytes: Uint8Array = takeBuffer(FRAME_HEADER_SIZE + MAX_PAGES_PAYLOAD + PAGE_SIZE);
  readonly view: DataView = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);

  /** Nobody may use it afterwards. */
  giveBack(): void {
    returnBuffer(this.bytes);
  }
}
