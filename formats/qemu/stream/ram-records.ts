import { hex } from '../../errors.ts';
import type { ReadableParts } from '../../files/readable-parts.ts';
import type { Window } from '../../files/window.ts';
import type { PageBatch } from '../../pgm/page-batch.ts';
import { PAGE_SIZE, TWO_32 } from '../../sizes.ts';
import { Encoding } from '../../ssm/segments.ts';
import { RamFlag } from '../constants.ts';
import { addPage, type RamBlock, type RamBlocks } from '../ram-blocks.ts';
import type { PageChanges, PageHistory } from './page-history.ts';
import { badFlags, badRecord, inflatePage, outsideBlock } from './ram-record-errors.ts';

/**
 * Reason why a scan stopped: the batch is full, the window has only part of the next record, a list of blocks begins, a
 * record holds changes of a page, the body is over, the disk cannot read the head of the next record.
 */
export type RamStop = 'full' | 'more' | 'block-list' | 'changes' | 'end' | 'unreadable';

/** A readable record that no QEMU writes: a part that QEMU ignores is damaged. */
export interface OddRecord {
  /** Offset from the start of the file. */
  offset: number;
  /** Description such as `the end of a section has the address 0x4000`. */
  what: string;
}

const WORD = 8;
/** Bytes from the end of a body to the next one: its last record, its mark, the head of the next section. */
const BETWEEN_BODIES = 18;
const MAX_ODD = 16;
/** Encoding and length of the changes of a page. */
const CHANGES_HEAD = 3;
/** The only existing encoding of changes. */
const XBZRLE_ENCODING = 1;
const latin1 = new TextDecoder('latin1');

/** Turns the records of section `ram` (version 4) into batches of pages. Source: qemu-stream.md 3. */
export class RamRecords {
  readonly blocks: RamBlocks;
  /** Size of all blocks in bytes, after a scan stopped at their list. */
  total = 0;
  /** A multifd flush was seen, so pages may have gone over other connections. */
  sawMultifd = false;
  /** The first records that no QEMU writes. */
  readonly odd: OddRecord[] = [];
  /** The record with changes of a page at which a scan stopped. */
  changes: PageChanges | undefined;
  /** Gets every page once there are changes. */
  history: PageHistory | undefined;
  /** The page of the last record, whether its content could be read or not. */
  last: { block: RamBlock; address: number } | undefined;
  /**
   * Called for a record whose content the disk cannot read: the page is lost, even if an earlier copy of it was read.
   */
  onLost: (block: RamBlock, address: number) => void = () => {};
  /** The current block, which stays current from one body to the next. */
  #block: RamBlock | undefined;
  readonly #parts: ReadableParts | undefined;
  /** Index in the window of the next byte that is made up. */
  #reach = Number.POSITIVE_INFINITY;

  /** @param parts tells which bytes are made up */
  constructor(blocks: RamBlocks, parts?: ReadableParts) {
    this.blocks = blocks;
    this.#parts = parts;
  }

  /** Makes a block the current one, after records that are lost. */
  goOnIn(block: RamBlock): void {
    this.#block = block;
  }

  /**
   * Adds records to `batch` from the window's position on. @throws QemuFormatError, UnsupportedError for records that
   * need data outside the file
   */
  scan(window: Window, batch: PageBatch): RamStop {
    this.#look(window);
    while (!batch.isFull) {
      if (window.available < WORD) return 'more';
      if (this.#isUnreadable(window.position + WORD)) return batch.count > 0 ? 'full' : 'unreadable';
      const { position: at, view } = window;
      const low = view.getUint32(at + 4);
      const flags = low & 0xfff;
      const address = view.getUint32(at) * TWO_32 + ((low & ~0xfff) >>> 0);
      const kind = flags & ~RamFlag.SAME_BLOCK;
      if (kind === RamFlag.PAGE || kind === RamFlag.FILL || kind === RamFlag.COMPRESSED) {
        const stop = this.#addPage(window, batch, kind, flags, address);
        if (stop !== undefined) return stop;
      } else if (kind === RamFlag.XBZRLE) {
        const changes = this.#changesAt(window, flags, address);
        if (!changes) return 'more';
        if (this.#isUnreadable(changes.at)) return batch.count > 0 ? 'full' : 'unreadable';
        this.changes = changes;
        this.last = { block: changes.block, address };
        return 'changes';
      } else if (flags === RamFlag.END) {
        // Reading on may refill the window, which would move the pages of the batch.
        if (batch.count > 0) return 'full';
        // The mark and the head of the next section follow.
        if (this.#isUnreadable(window.position + BETWEEN_BODIES)) return 'unreadable';
        if (address !== 0) this.#noteOdd(window, `the end of a section has the address ${hex(address)}`);
        window.position += WORD;
        return 'end';
      } else if (flags === RamFlag.BLOCK_LIST) {
        window.position += WORD;
        this.total = address;
        return 'block-list';
      } else if (flags === RamFlag.MULTIFD_FLUSH) {
        if (address !== 0) this.#noteOdd(window, `a multifd flush has the address ${hex(address)}`);
        window.position += WORD;
        this.sawMultifd = true;
      } else throw badFlags(window.offset, flags);
    }
    return 'full';
  }

  /** Finds the next byte of the window that is made up. */
  #look(window: Window): void {
    const { offset, available } = window;
    const bad = this.#parts?.badIn(offset, offset + available);
    this.#reach = bad ? window.position + Math.max(0, bad.start - offset) : Number.POSITIVE_INFINITY;
  }

  /** Whether one of the bytes from the position to this index is made up. */
  #isUnreadable(end: number): boolean {
    return end > this.#reach;
  }

  /** @returns why nothing was added; undefined after a page was */
  #addPage(
    window: Window,
    batch: PageBatch,
    kind: number,
    flags: number,
    address: number,
  ): 'more' | 'unreadable' | 'full' | undefined {
    const { view, position, bytes } = window;
    const unreadable = batch.count > 0 ? 'full' : 'unreadable';
    const head = kind === RamFlag.COMPRESSED ? 4 : kind === RamFlag.FILL ? 1 : 0;
    if ((flags & RamFlag.SAME_BLOCK) === 0) {
      if (this.#isUnreadable(position + WORD + 1)) return unreadable;
      if (this.#isUnreadable(position + WORD + 1 + (bytes[position + WORD] ?? 0))) return unreadable;
    }
    const at = this.#contentAt(window, flags, address);
    if (at === undefined) return 'more';
    if (this.#isUnreadable(at + head)) return unreadable;
    if (at + head > window.end) return 'more';
    const length = kind === RamFlag.COMPRESSED ? view.getUint32(at) : kind === RamFlag.FILL ? 0 : PAGE_SIZE;
    if (length > 2 * PAGE_SIZE) throw badRecord(window.offset, `${length} compressed bytes`);
    if (at + head + length > window.end) return 'more';
    if (this.#isUnreadable(at + head + length)) {
      // Earlier pages are taken first: one of them may be the same page.
      if (batch.count > 0) return 'full';
      this.onLost(this.#block as RamBlock, address);
    } else this.#setPage(window, batch, kind, address, at);
    this.last = { block: this.#block as RamBlock, address };
    window.position = at + head + length;
    if (window.position > this.#reach) this.#look(window);
    return undefined;
  }

  /** Continues after a record of changes whose page is lost. */
  passChanges(window: Window): void {
    const { block, address, at, length } = this.changes as PageChanges;
    this.onLost(block, address);
    window.position = at + length;
    this.changes = undefined;
  }

  /** Makes the block of a record the current one. @returns end of the name; undefined while the name is incomplete */
  #contentAt(window: Window, flags: number, address: number): number | undefined {
    const { bytes, position } = window;
    let at = position + WORD;
    if ((flags & RamFlag.SAME_BLOCK) === 0) {
      if (at >= window.end || at + 1 + bytes[at] > window.end) return undefined;
      this.#block = this.#named(window, at);
      at += 1 + bytes[at];
    }
    const block = this.#block;
    if (!block) throw badRecord(window.offset, 'no block was named before');
    if (address + PAGE_SIZE > block.size) throw outsideBlock(window.offset, block, address);
    return at;
  }

  /** A record with the changes of a page; undefined while it is incomplete. */
  #changesAt(window: Window, flags: number, address: number): PageChanges | undefined {
    const { offset } = window;
    const at = this.#contentAt(window, flags, address);
    if (at === undefined || at + CHANGES_HEAD > window.end) return undefined;
    const encoding = window.bytes[at];
    if (encoding !== XBZRLE_ENCODING) {
      const problem = `changes of a page in encoding ${encoding}, expected ${XBZRLE_ENCODING}`;
      throw badRecord(offset, problem, 'Failed to load XBZRLE page - wrong compression!');
    }
    const length = window.view.getUint16(at + 1);
    if (length > PAGE_SIZE)
      throw badRecord(offset, `${length} bytes of changes`, 'Failed to load XBZRLE page - len overflow!');
    const head = at + CHANGES_HEAD;
    if (head + length > window.end) return undefined;
    return { block: this.#block as RamBlock, address, offset, at: head, length };
  }

  /** Continues after a record of changes, with the changed page. */
  addChanged(window: Window, batch: PageBatch, page: Uint8Array): void {
    const { block, address, at, length } = this.changes as PageChanges;
    addPage(batch, this.blocks, block, address, false);
    const slot = batch.takeSpillSlot();
    window.bytes.set(page, slot);
    batch.setContent(Encoding.RAW, slot, PAGE_SIZE);
    window.position = at + length;
    this.changes = undefined;
  }

  #setPage(window: Window, batch: PageBatch, kind: number, address: number, at: number): void {
    const { bytes } = window;
    if (kind === RamFlag.PAGE) {
      addPage(batch, this.blocks, this.#block as RamBlock, address, false);
      batch.setContent(Encoding.RAW, at, PAGE_SIZE);
      this.history?.notePlace(this.#block as RamBlock, address, window.offsetOf(at));
    } else if (kind === RamFlag.FILL) {
      addPage(batch, this.blocks, this.#block as RamBlock, address, bytes[at] === 0);
      this.history?.noteFill(this.#block as RamBlock, address, bytes[at]);
      if (bytes[at] === 0) return;
      this.#noteOdd(
        window,
        `page ${hex(address)} is full of bytes ${hex(bytes[at])}; QEMU writes such records for zeros only`,
      );
      const slot = batch.takeSpillSlot();
      bytes.fill(bytes[at], slot, slot + PAGE_SIZE);
      batch.setContent(Encoding.RAW, slot, PAGE_SIZE);
    } else {
      const content = inflatePage(bytes.subarray(at + 4, at + 4 + window.view.getUint32(at)), window.offset);
      addPage(batch, this.blocks, this.#block as RamBlock, address, false);
      const slot = batch.takeSpillSlot();
      bytes.set(content, slot);
      batch.setContent(Encoding.RAW, slot, PAGE_SIZE);
      this.history?.noteContent(this.#block as RamBlock, address, content);
    }
  }

  #noteOdd({ offset }: Window, what: string): void {
    if (this.odd.length < MAX_ODD) this.odd.push({ offset, what });
  }

  #named({ bytes, offset }: Window, at: number): RamBlock {
    const name = latin1.decode(bytes.subarray(at + 1, at + 1 + bytes[at]));
    const block = this.blocks.find(name);
    if (!block) {
      const says = `Unknown ramblock "${name}", cannot accept migration`;
      throw badRecord(offset, `no block is called ${JSON.stringify(name)}`, says);
    }
    return block;
  }
}
