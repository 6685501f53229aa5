import { PAGE_SIZE } from '../sizes.ts';
import type { PayloadReader } from '../ssm/payload.ts';
import { Encoding } from '../ssm/segments.ts';
import type { PageBatch } from './page-batch.ts';

/**
 * Takes page contents from a payload into a batch: as a reference where a page is one segment, or a part of a RAW one;
 * assembled in a spill slot where segments cut it (writers may make records of any size).
 */
export class PageContent {
  /** Number of bytes in `#partial`, which holds the beginning of a page until the next segments arrive. */
  #have = 0;
  readonly #partial = new Uint8Array(PAGE_SIZE);

  /** Gives the last record its 4096 bytes; false when the segments don't suffice: to be called again with more. */
  take(payload: PayloadReader, batch: PageBatch): boolean {
    if (this.#have === 0) {
      if (payload.runAt === payload.runEnd) {
        const { segments } = payload.container;
        const i = payload.next;
        if (i < segments.count && segments.size[i] === PAGE_SIZE) {
          batch.setContent(segments.encoding[i], segments.at[i], segments.length[i]);
          payload.takeSegments(i + 1);
          return true;
        }
      } else if (payload.runInWindow && payload.runEnd - payload.runAt >= PAGE_SIZE) {
        batch.setContent(Encoding.RAW, payload.runAt, PAGE_SIZE);
        payload.take(PAGE_SIZE);
        return true;
      }
    }
    return this.#assemble(payload, batch);
  }

  /** Skips 4096 bytes that get no place in a batch; false when the segments don't suffice. Takes no spill slot. */
  pass(payload: PayloadReader): boolean {
    while (this.#have < PAGE_SIZE) {
      if (payload.runAt === payload.runEnd) {
        if (!payload.nextRun()) return false;
        continue;
      }
      const part = Math.min(PAGE_SIZE - this.#have, payload.runEnd - payload.runAt);
      payload.take(part);
      this.#have += part;
    }
    this.#have = 0;
    return true;
  }

  #assemble(payload: PayloadReader, batch: PageBatch): boolean {
    while (this.#have < PAGE_SIZE) {
      if (payload.runAt === payload.runEnd) {
        if (!payload.nextRun()) return false;
        continue;
      }
      const part = Math.min(PAGE_SIZE - this.#have, payload.runEnd - payload.runAt);
      this.#partial.set(payload.runBytes.subarray(payload.runAt, payload.runAt + part), this.#have);
      payload.take(part);
      this.#have += part;
    }
    const slot = batch.takeSpillSlot();
    batch.window.bytes.set(this.#partial, slot);
    batch.setContent(Encoding.RAW, slot, PAGE_SIZE);
    this.#have = 0;
    return true;
  }
}
