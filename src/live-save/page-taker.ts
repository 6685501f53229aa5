import { memoryArena } from '../../formats/files/window.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { PageBatch, type PageKind } from '../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../formats/pgm/page-sink.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import { Turns } from '../../formats/turns.ts';

/** Pages handed over at a time: 1 MiB of contents, which stays in the cache. */
const BATCH_PAGES = 256;

/** A batch with room for the contents of its pages, for repeated use. */
export function newTakenBatch(): PageBatch {
  return new PageBatch(memoryArena(new Uint8Array(BATCH_PAGES * PAGE_SIZE)));
}

type Kind = (typeof PageKind)[keyof typeof PageKind];

/**
 * Gathers pages from memory into batches for a sink. Contents are copied at once, so that a batch does not change while
 * the sink waits and the guest writes on.
 */
export class PageTaker {
  readonly batch: PageBatch;
  readonly #sink: PageSink;
  readonly #contents: boolean;
  readonly #yields: boolean;
  readonly #turns = new Turns();
  /** Pages handed over. */
  taken = 0;

  /**
   * @param options.contents false: batches hold page numbers only; @param options.yields lets other work run after each
   * batch
   */
  constructor(batch: PageBatch, sink: PageSink, options: { contents: boolean; yields: boolean }) {
    this.batch = batch;
    this.#sink = sink;
    this.#contents = options.contents;
    this.#yields = options.yields;
    batch.clear();
  }

  /** Batches hold page numbers only, so that pages need not be quiet: contents are read later. */
  get onlyNames(): boolean {
    return !this.#contents;
  }

  get isFull(): boolean {
    return this.batch.count === BATCH_PAGES;
  }

  /** Other work has waited long enough: `hand` is due. */
  get isTurnDue(): boolean {
    return this.#yields && this.#turns.areDue;
  }

  /** Takes a page, with its 4096 bytes at `bytes[at]` or without contents. */
  add(kind: Kind, page: number, id: number, protection: number, bytes?: Uint8Array, at = 0): void {
    const { batch } = this;
    const slot = batch.count * PAGE_SIZE;
    batch.add(kind, page, id, protection);
    if (bytes === undefined || !this.#contents) return;
    batch.window.bytes.set(bytes.subarray(at, at + PAGE_SIZE), slot);
    batch.setContent(Encoding.RAW, slot, PAGE_SIZE);
  }

  /** Takes a page that has memory. If contents are wanted, a page of zeros gets `zeroKind`. */
  addContent(kind: Kind, zeroKind: Kind, page: number, id: number, bytes: Uint8Array, at: number): void {
    if (this.#contents && isZero(bytes, at, PAGE_SIZE)) this.add(zeroKind, page, id, 0);
    else this.add(kind, page, id, 0, bytes, at);
  }

  /** Hands over the gathered pages, if any, and lets other work run, also during long searches that find nothing. */
  async hand(): Promise<void> {
    const { batch } = this;
    if (batch.count > 0) await this.#sink.take(batch);
    this.taken += batch.count;
    batch.clear();
    // A batch of page numbers takes only microseconds.
    if (this.#yields && (this.#contents || this.#turns.areDue)) await this.#turns.give();
  }
}
