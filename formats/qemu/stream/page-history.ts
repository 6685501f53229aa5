import { hex } from '../../errors.ts';
import type { ByteSource } from '../../files/source.ts';
import { Spool } from '../../files/spool.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { QemuFormatError } from '../qemu-error.ts';
import type { RamBlock } from '../ram-blocks.ts';

/** A record with the changes of a page since its last record. */
export interface PageChanges {
  block: RamBlock;
  /** Address of the page in its block. */
  address: number;
  /** Offset of the record in the file. */
  offset: number;
  /** Index of the changes in the window, and their size in bytes. */
  at: number;
  length: number;
}

/**
 * The last content of each page, for records that hold only later changes: its place in the file, or in a temporary
 * file if the content had to be put together. Pages of zeros are not kept.
 */
export class PageHistory {
  readonly #source: ByteSource;
  /** Places of pages: offset in the source; -1 and less: slot of the spool; `FILLED` and more: page of one byte. */
  readonly #places = new Map<number, number>();
  readonly #spool = new Spool();
  #slots = 0;
  readonly #page = new Uint8Array(PAGE_SIZE);

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Notes a page that is filled with one byte. */
  noteFill(block: RamBlock, address: number, byte: number): void {
    const key = keyOf(block, address);
    // A slot of the spool stays in use, so that the file does not grow.
    if ((this.#places.get(key) ?? 0) < 0) this.noteContent(block, address, this.#page.fill(byte));
    else if (byte === 0) this.#places.delete(key);
    else this.#places.set(key, FILLED + byte);
  }

  /** @param offset of the content in the source */
  notePlace(block: RamBlock, address: number, offset: number): void {
    this.#places.set(keyOf(block, address), offset);
  }

  noteContent(block: RamBlock, address: number, content: Uint8Array): void {
    const key = keyOf(block, address);
    const known = this.#places.get(key) ?? 0;
    const place = known < 0 ? known : -++this.#slots;
    this.#spool.write(content, (-place - 1) * PAGE_SIZE);
    this.#places.set(key, place);
  }

  /** The page with its changes; borrowed until the next call. @throws QemuFormatError `bad-page` */
  async apply({ block, address, offset }: PageChanges, changes: Uint8Array): Promise<Uint8Array> {
    await this.#readPage(keyOf(block, address));
    if (!change(this.#page, changes))
      throw new QemuFormatError(
        'bad-page',
        `Cannot read RAM record at ${hex(offset)}: the changes of a page (xbzrle) do not fit into it`,
        { offset },
        `Failed to decompress XBZRLE page at ${hex(address)}`,
      );
    this.noteContent(block, address, this.#page);
    return this.#page;
  }

  close(): void {
    this.#spool.close();
  }

  async #readPage(key: number): Promise<void> {
    const place = this.#places.get(key);
    if (place === undefined) this.#page.fill(0);
    else if (place >= FILLED) this.#page.fill(place - FILLED);
    else if (place < 0) this.#spool.read(this.#page, (-place - 1) * PAGE_SIZE);
    else await this.#source.read(this.#page, place);
  }
}

/** Places from here on are not offsets but the byte that fills the page. */
const FILLED = 2 ** 52;

/** More than the pages of any block; all blocks together have at most 2^52 bytes. */
const PAGES_OF_ALL = 2 ** 40;

function keyOf({ id }: RamBlock, address: number): number {
  return id * PAGES_OF_ALL + Math.floor(address / PAGE_SIZE);
}

/**
 * Applies changes to a page: lengths of unchanged and of changed stretches in turn, in one or two bytes each; the new
 * bytes follow the latter.
 * @returns false for changes that exceed the page or their own bytes
 */
export function change(page: Uint8Array, changes: Uint8Array): boolean {
  let at = 0;
  let to = 0;
  const length = () => {
    const first = changes[at++] ?? 0;
    return first < 0x80 ? first : (first & 0x7f) | ((changes[at++] ?? 0xff) << 7);
  };
  while (at < changes.length) {
    to += length();
    if (at >= changes.length) return false;
    const count = length();
    if (count === 0 || to + count > PAGE_SIZE || at + count > changes.length) return false;
    page.set(changes.subarray(at, at + count), to);
    at += count;
    to += count;
  }
  return true;
}
