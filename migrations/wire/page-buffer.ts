import { FRAME_HEADER_SIZE, PAGE_ENTRY_SIZE, PAGES_HEAD_SIZE } from './frames.ts';
import { FRAME_PAGES, MAX_PAGES_PAYLOAD } from './limits.ts';

/** Where contents start in a buffer; the table of however many pages ends right before it. */
export const PLAIN_AT = Math.ceil((FRAME_HEADER_SIZE + PAGES_HEAD_SIZE + FRAME_PAGES * PAGE_ENTRY_SIZE) / 8) * 8;

/** A buffer in which a frame of pages is built in place, and sent from. */
export class PageBuffer {
  readonly bytes: Uint8Array = new Uint8Array(FRAME_HEADER_SIZE + MAX_PAGES_PAYLOAD + 4096);
  readonly words: Uint32Array = new Uint32Array(this.bytes.buffer, 0, this.bytes.length >>> 2);
  readonly view: DataView = new DataView(this.bytes.buffer);
}
