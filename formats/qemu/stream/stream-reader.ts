import { hex, UnsupportedError } from '../../errors.ts';
import type { ReadableParts } from '../../files/readable-parts.ts';
import type { ByteSource } from '../../files/source.ts';
import { Window } from '../../files/window.ts';
import { PageBatch } from '../../pgm/page-batch.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { Turns } from '../../turns.ts';
import { type QemuCommand, type QemuConfiguration, readConfiguration, readStreamHeader } from '../configuration.ts';
import { PartType } from '../constants.ts';
import { findLowRam } from '../low-ram.ts';
import { QemuFormatError } from '../qemu-error.ts';
import { type RamBlock, RamBlocks } from '../ram-blocks.ts';
import { type PartedSection, PartedSections, type QemuSection } from '../sections.ts';
import { StreamBytes } from '../stream-bytes.ts';
import { BlockList } from './block-list.ts';
import { type PageChanges, PageHistory } from './page-history.ts';
import { expectPageSize } from './page-size.ts';
import { type OddRecord, RamRecords, type RamStop } from './ram-records.ts';
import { readTail, type StreamTail } from './stream-tail.ts';
import { type RamGap, skipUnreadable } from './unreadable-records.ts';

/** Options for reading a stream. */
export interface QemuStreamOptions {
  /** Offset of the stream in the source. */
  start?: number;
  /** Tells which bytes of the source are made up: pages with such bytes are left out. */
  parts?: ReadableParts | undefined;
  /** Ends the reading of parts without pages, which may be long: sections of single bytes, bytes after the stream. */
  signal?: AbortSignal | undefined;
}

/**
 * Reads a migration stream front to back: configuration, then `nextPages` until it gives false, then `tail`: the device
 * sections and the description, whose bodies have no lengths of their own.
 */
export class QemuStreamReader {
  /** The pages that `nextPages` has read last; borrowed until its next call. */
  readonly batch: PageBatch;
  /** Blocks of memory; known after the first pages. */
  readonly blocks = new RamBlocks();
  /** Machine type and capabilities. */
  configuration: QemuConfiguration = { capabilities: [] };
  /** Whether batches of mapped RAM lack contents, which are not read then. */
  leavesContents = false;
  /** Bytes of RAM below 4 GiB, where an earlier reading has found them, and the source cannot be read from its end. */
  lowRam: number | undefined;
  readonly #window: Window;
  readonly #bytes: StreamBytes;
  readonly #records: RamRecords;
  #parted: PartedSections;
  /** The list of RAM blocks, from its head until all of it has been read. */
  #list: BlockList | undefined;
  readonly #source: ByteSource;
  readonly #streamStart: number;
  /** Whether reading ends at the first page that is stored as changes. */
  #endsAtChanges = false;
  readonly #parts: ReadableParts | undefined;
  readonly #signal: AbortSignal | undefined;
  /** Gaps in the records of RAM, which the disk cannot read. */
  readonly gaps: RamGap[] = [];

  private constructor(source: ByteSource, { start = 0, parts, signal }: QemuStreamOptions) {
    this.#source = source;
    this.#parts = parts;
    this.#signal = signal;
    this.#streamStart = start;
    this.#window = new Window(source);
    this.#bytes = new StreamBytes(this.#window, signal);
    this.batch = new PageBatch(this.#window);
    this.#records = new RamRecords(this.blocks, parts);
    this.#parted = new PartedSections(this.#bytes, this.configuration);
  }

  /** @throws FormatError, UnsupportedError */
  static async open(source: ByteSource, options: QemuStreamOptions = {}): Promise<QemuStreamReader> {
    const reader = new QemuStreamReader(source, options);
    const { start = 0 } = options;
    try {
      await reader.#window.seek(start);
      await readStreamHeader(reader.#bytes);
      if ((await reader.#bytes.peek('type of the next section')) === PartType.CONFIGURATION) {
        await reader.#bytes.u8('configuration');
        reader.configuration = await readConfiguration(reader.#bytes);
        reader.#expectReadable(start, 'configuration');
        await expectPageSize(source, reader.configuration);
        reader.#parted = new PartedSections(reader.#bytes, reader.configuration);
      }
      return reader;
    } catch (error) {
      reader.release();
      throw error;
    }
  }

  /** Commands between sections, so far. */
  get commands(): readonly QemuCommand[] {
    return this.#parted.commands;
  }

  /** Sections of RAM, so far. */
  get sections(): readonly QemuSection[] {
    return this.#parted.sections;
  }

  /** Other sections in parts, so far. */
  get others(): readonly PartedSection[] {
    return this.#parted.others;
  }

  /** Bytes of the source passed so far. */
  get offset(): number {
    return this.#window.offset;
  }

  /** Bytes of all blocks, as the head of their list tells. */
  get blockBytes(): number {
    return this.#records.total;
  }

  /** The first records of RAM that no QEMU writes. */
  get oddRecords(): readonly OddRecord[] {
    return this.#records.odd;
  }

  /** Pages may have gone over other connections. */
  get sawMultifd(): boolean {
    return this.#records.sawMultifd;
  }

  /** Called for each page that is lost with unreadable bytes, even if an earlier copy of it was read. */
  set onLost(note: (block: RamBlock, address: number) => void) {
    this.#records.onLost = note;
  }

  /** @throws QemuFormatError `unreadable` where bytes up to here are made up */
  #expectReadable(start: number, what: string): void {
    const bad = this.#parts?.badIn(start, this.#window.offset);
    if (!bad) return;
    const message = `Cannot read ${what} at ${hex(start)}: the disk does not give it`;
    throw new QemuFormatError('unreadable', message, { offset: bad.start });
  }

  /** Gives the reader's memory back; nothing of it may be used afterwards. */
  release(): void {
    this.#window.release();
    if (!this.#endsAtChanges) this.#records.history?.close();
  }

  /**
   * Fills `batch` with the next pages: RAM by guest-physical page frame, memory of devices by block and page.
   * Invalidates earlier contents.
   * @returns false when the RAM is complete @throws FormatError for damage, UnsupportedError
   */
  async nextPages(): Promise<boolean> {
    const { batch } = this;
    batch.clear();
    for (;;) {
      if (!this.#parted.current && !(await this.#parted.next())) return false;
      if (this.#list?.isOpen) {
        if (await this.#list.readOn(batch, this.leavesContents)) return true;
        continue;
      }
      const stop = this.#scan();
      if (stop === 'end') await this.#parted.end();
      else if (stop === 'block-list') this.#list = this.#beginList();
      if (batch.count > 0) return true;
      if (stop === 'changes') {
        if (this.#endsAtChanges) return false;
        if (await this.#change()) return true;
      }
      if (stop === 'more') await this.#more();
      if (stop === 'unreadable') await this.#skipUnreadable();
    }
  }

  /** The rest of the stream, from the first device section on. @throws UnsupportedError see `readTail` */
  tail(): Promise<StreamTail> {
    return readTail(this.#window, this.#source, Turns.rare(this.#signal));
  }

  #beginList(): BlockList {
    return new BlockList(this.#records.total, {
      ...{ window: this.#window, bytes: this.#bytes, blocks: this.blocks, parts: this.#parts },
      configuration: this.configuration,
      expectReadable: (start) => this.#expectReadable(start, 'list of RAM blocks'),
      lowRam: async () => (await findLowRam(this.#source, this.blocks.ownRamSize)) ?? this.lowRam,
    });
  }

  /** Applies the changes in a record to their page. @returns false where the page is lost */
  async #change(): Promise<boolean> {
    const records = this.#records;
    const changes = records.changes as PageChanges;
    const { at, length, offset } = changes;
    // The page that they change may be lost as well.
    if (this.#parts?.badIn(this.#streamStart, this.#window.offsetOf(at + length))) {
      records.passChanges(this.#window);
      return false;
    }
    records.history ??= await this.#readHistory(offset);
    const page = await records.history.apply(changes, this.#window.bytes.subarray(at, at + length));
    records.addChanged(this.#window, this.batch, page);
    return true;
  }

  /** Reads the file again, for the pages before the first record of changes. */
  async #readHistory(offset: number): Promise<PageHistory> {
    if (!this.#source.seekable)
      throw new UnsupportedError(
        'xbzrle',
        `Cannot read RAM record at ${hex(offset)}: it holds the changes of a page (xbzrle); they are read in a ` +
          'file, not in a pipe or a compressed image',
        { offset },
      );
    const history = new PageHistory(this.#source);
    const past = await QemuStreamReader.open(this.#source, {
      start: this.#streamStart,
      parts: this.#parts,
      signal: this.#signal,
    });
    const turns = Turns.rare(this.#signal);
    past.#endsAtChanges = true;
    past.#records.history = history;
    try {
      while (await past.nextPages()) if (turns.areDue) await turns.give();
      return history;
    } catch (error) {
      history.close();
      throw error;
    } finally {
      past.release();
    }
  }

  /** Scans records; damage is thrown after the pages before it have been taken. */
  #scan(): RamStop {
    try {
      return this.#records.scan(this.#window, this.batch);
    } catch (error) {
      if (this.batch.count === 0) throw error;
      return 'full';
    }
  }

  /** Goes on with the first record after the unreadable bytes. @throws QemuFormatError where none can be told */
  async #skipUnreadable(): Promise<void> {
    const { last } = this.#records;
    const section = this.#parted.current?.id ?? 0;
    const { gap, block, lost } = await skipUnreadable(this.#window, this.#parts, {
      blocks: this.blocks,
      last,
      section,
    });
    this.gaps.push(gap);
    if (block) this.#records.goOnIn(block);
    for (const { block: own, first, end } of lost ?? [])
      for (let page = first; page < end; page++) this.#records.onLost(own, page * PAGE_SIZE);
  }

  /** Fetches more of the source for a record that is not complete. */
  async #more(): Promise<void> {
    const { available } = this.#window;
    if (!this.#window.ended) await this.#window.refill();
    if (this.#window.available > available) return;
    const { offset } = this.#window;
    throw new QemuFormatError(
      'truncated',
      `Cannot read RAM record at ${hex(offset)}: the file ends after ${available} bytes`,
      { offset },
      'Input/output error',
    );
  }
}
