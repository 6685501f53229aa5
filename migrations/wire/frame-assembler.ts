import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { FRAME_HEADER_SIZE, type FrameName } from './frames.ts';
import { MAX_PAGES_PAYLOAD } from './limits.ts';
import { MigrationError } from './migration-error.ts';
import { type Frame, readFrameHeader } from './payload.ts';

/** Room for a frame of which nothing has arrived yet. */
const FIRST_ROOM = 16384;
/** Room for any frame of pages, in memory where kernels hash them without copying. */
const PAGES_ROOM = MAX_PAGES_PAYLOAD;

/** Assembles frames from incoming bytes, one after the other. Memory is bounded by the largest frame. */
export class FrameAssembler {
  /** Maximum number of payload bytes of a frame, besides the limit of its type. */
  limit = Number.POSITIVE_INFINITY;
  readonly #header = new Uint8Array(FRAME_HEADER_SIZE);
  #payload: Uint8Array = new Uint8Array(FIRST_ROOM);
  #head: { name: FrameName; length: number } | undefined;
  /** Bytes received of the header, and of the payload once the header is complete. */
  #at = 0;

  /** A frame is complete. */
  get isWhole(): boolean {
    return this.#at === this.#head?.length;
  }

  /** The complete frame, if there is one; borrowed until `next`. */
  get frame(): Frame | undefined {
    return this.#head && this.isWhole
      ? { name: this.#head.name, payload: this.#payload.subarray(0, this.#at) }
      : undefined;
  }

  /** Begins the next frame, if one is complete. */
  next(): void {
    if (!this.isWhole) return;
    this.#head = undefined;
    this.#at = 0;
    // Room for an unusually large frame is not kept.
    if (this.#payload.length > PAGES_ROOM) this.#payload = new Uint8Array(FIRST_ROOM);
  }

  /** Place for the next bytes, never empty; after a complete frame, the header of its successor. */
  space(): Uint8Array {
    const head = this.#head;
    if (!head) return this.#header.subarray(this.#at);
    if (this.isWhole) return this.#header;
    if (this.#at === this.#payload.length) this.#grow(head.length);
    return this.#payload.subarray(this.#at, head.length);
  }

  /** Notes that bytes were put into the space. @throws MigrationError if they are no frame */
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

  /** Makes room only once bytes have filled the present room, since claiming a length costs a peer nothing. */
  #grow(length: number): void {
    const isOfPages = length <= PAGES_ROOM;
    const larger = isOfPages ? takeBuffer(PAGES_ROOM) : new Uint8Array(Math.min(length, this.#payload.length * 4));
    larger.set(this.#payload.subarray(0, this.#at));
    returnBuffer(this.#payload);
    this.#payload = larger;
  }
}
