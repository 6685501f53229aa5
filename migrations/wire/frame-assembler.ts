import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { FRAME_HEADER_SIZE, type FrameName } from './frames.ts';
import { MAX_PAGES_PAYLOAD } from './limits.ts';
import { MigrationError } from './migration-error.ts';
import { type Frame, readFrameHeader } from './payload.ts';

/** Room for a frame before anything of it has come. */
const FIRST_ROOM = 16384;
/** Room for any frame of pages, where kernels hash them without copying. */
const PAGES_ROOM = MAX_PAGES_PAYLOAD;

/** Puts frames together from bytes as they come, one after the other. Memory is bounded by the largest frame. */
export class FrameAssembler {
  /** Payload bytes of a frame at most, whatever its type allows. */
  limit = Number.POSITIVE_INFINITY;
  readonly #header = new Uint8Array(FRAME_HEADER_SIZE);
  #payload: Uint8Array = new Uint8Array(FIRST_ROOM);
  #head: { name: FrameName; length: number } | undefined;
  /** Bytes that have come, of the header until it is known, then of the payload. */
  #at = 0;

  /** A frame has come in full. */
  get isWhole(): boolean {
    return this.#at === this.#head?.length;
  }

  /** The frame that is whole, if one is; borrowed until `next`. */
  get frame(): Frame | undefined {
    return this.#head && this.isWhole
      ? { name: this.#head.name, payload: this.#payload.subarray(0, this.#at) }
      : undefined;
  }

  /** Begins the next frame, when one is whole. */
  next(): void {
    if (!this.isWhole) return;
    this.#head = undefined;
    this.#at = 0;
    // Room for what was large once is not kept.
    if (this.#payload.length > PAGES_ROOM) this.#payload = new Uint8Array(FIRST_ROOM);
  }

  /** Where the next bytes belong: never empty; of a whole frame's successor it is the header. */
  space(): Uint8Array {
    const head = this.#head;
    if (!head) return this.#header.subarray(this.#at);
    if (this.isWhole) return this.#header;
    if (this.#at === this.#payload.length) this.#grow(head.length);
    return this.#payload.subarray(this.#at, head.length);
  }

  /** Takes note of bytes that stand in the space by now. @throws MigrationError for what is no frame */
  filled(count: number): void {
    this.#at += count;
    if (!this.#head && this.#at === FRAME_HEADER_SIZE) {
      const head = readFrameHeader(this.#header);
      if (head.length > this.limit)
        throw new MigrationError(
          'frame-too-long',
          `Cannot read frame ${head.name}: ${head.length} bytes, expected at most ${this.limit} now`,
        );
      this.#head = head;
      this.#at = 0;
    }
  }

  /** Only when bytes have filled what there is: a length is a claim, and costs nothing to make. */
  #grow(length: number): void {
    const isOfPages = length <= PAGES_ROOM;
    const larger = isOfPages ? takeBuffer(PAGES_ROOM) : new Uint8Array(Math.min(length, this.#payload.length * 4));
    larger.set(this.#payload.subarray(0, this.#at));
    returnBuffer(this.#payload);
    this.#payload = larger;
  }
}
