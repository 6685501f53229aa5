import type { Widths } from '../binary/cursor.ts';
import { PAGE_SIZE } from '../sizes.ts';
import { Encoding } from '../ssm/segments.ts';
import type { ContainerWriter } from '../ssm/writing/container-writer.ts';
import type { PgmBasic, PgmConfig } from './head.ts';
import { writeBasic, writeConfig } from './head-writer.ts';
import type { PageBatch } from './page-batch.ts';
import { PageRecordHeads } from './page-record-writer.ts';
import type { PgmVersion } from './versions.ts';

/** Blocks that are compressed again: none, those stored raw, which may shrink, or all. */
export type Recompression = 'none' | 'raw' | 'all';

/** Longest item that VirtualBox writes; a longer head is written in pieces. */
const ITEM_LIMIT = 512;

/**
 * Writes one pass of a pgm unit of versions 10 to 14 into the container's current unit, item by item as VirtualBox
 * does: head, page records, end.
 */
export class PgmPassWriter {
  readonly #out: ContainerWriter;
  readonly #heads: PageRecordHeads;
  readonly #page = new Uint8Array(PAGE_SIZE);

  /** @param basic of a final pass; @param config of pass 0 or a plain save */
  constructor(out: ContainerWriter, version: PgmVersion, widths: Widths, basic?: PgmBasic, config?: PgmConfig) {
    this.#out = out;
    this.#heads = new PageRecordHeads(widths.gcPhys);
    if (basic) this.#putInPieces(writeBasic(basic, version, widths));
    if (config) this.#putInPieces(writeConfig(config, version, widths));
  }

  /**
   * Writes a record with the content of batch entry `i`. Blocks that are not compressed again pass through as they are,
   * where the container can hold them so. Await `out.flush()` when `out.isFull`.
   */
  put(
    kind: number,
    page: number,
    id: number,
    protection: number,
    batch: PageBatch,
    i: number,
    recompression: Recompression = 'raw',
  ): void {
    this.#putHead(kind, page, id, protection);
    const encoding = batch.encoding[i];
    const passes =
      encoding === Encoding.RAW ? recompression === 'none' : encoding !== Encoding.NONE && recompression !== 'all';
    if (passes && this.#out.putBlock(encoding, batch.window.bytes, batch.at[i], batch.length[i], PAGE_SIZE)) return;
    if (encoding === Encoding.RAW) {
      this.#out.put(batch.window.bytes, batch.at[i], PAGE_SIZE);
    } else {
      batch.decode(i, this.#page, 0);
      this.#out.put(this.#page, 0, PAGE_SIZE);
    }
  }

  /** Writes a record with 4096 bytes of content, or without. */
  putPage(kind: number, page: number, id: number, protection: number, content?: Uint8Array): void {
    this.#putHead(kind, page, id, protection);
    if (content) this.#out.put(content);
  }

  end(): void {
    this.#heads.makeEnd();
    this.#out.put(this.#heads.bytes, 0, this.#heads.length);
  }

  #putHead(kind: number, page: number, id: number, protection: number): void {
    const heads = this.#heads;
    heads.make(kind, page, id, protection);
    this.#out.put(heads.bytes, 0, heads.length);
  }

  #putInPieces(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += ITEM_LIMIT) this.#out.put(bytes.subarray(at, at + ITEM_LIMIT));
  }
}
