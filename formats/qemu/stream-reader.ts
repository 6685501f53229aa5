import { hex, UnsupportedError } from '../errors.ts';
import type { ByteSource } from '../files/source.ts';
import { Window } from '../files/window.ts';
import { PageBatch } from '../pgm/page-batch.ts';
import {
  type QemuCommand,
  type QemuConfiguration,
  readCommand,
  readConfiguration,
  readStreamHeader,
} from './configuration.ts';
import { IGNORE_SHARED, MAPPED_RAM, MAX_TAIL, OTHER_PARTED, PartType, RAM_SECTION, RAM_VERSION } from './constants.ts';
import { isPc } from './guest-layout.ts';
import { MappedRam } from './mapped-ram.ts';
import { type PageChanges, PageHistory } from './page-history.ts';
import { QemuFormatError, unknownSection } from './qemu-error.ts';
import { type RamBlock, RamBlocks, readBlock } from './ram-blocks.ts';
import { type OddRecord, RamRecords, type RamStop } from './ram-records.ts';
import { StreamBytes } from './stream-bytes.ts';

/** A section of a stream, in file order. */
export interface QemuSection {
  /** Section `ram` comes as a start, parts and an end; a device in full. */
  type: 'start' | 'part' | 'end' | 'full';
  /** Number of the section in the stream; parts have that of their start. */
  id: number;
  /** Such as `ram`, `cpu`, `0000:00:03.0/e1000`. */
  name: string;
  /** Tells sections of one name apart. */
  instance: number;
  /** Version of the body's layout. */
  version: number;
  /** Offset of the type byte, from the start of the file. */
  offset: number;
  /** Offset of the body, from the start of the file. */
  bodyOffset: number;
  /** Bytes of the body. */
  bodySize: number;
  /** Whether the mark with the section's id stands after the body. */
  footer: boolean;
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
  /** Commands between sections, so far. */
  readonly commands: QemuCommand[] = [];
  /** Sections of RAM, so far. */
  readonly sections: QemuSection[] = [];
  /** Pages are named without their contents: of mapped RAM, which then need not be read. */
  leavesContents = false;
  readonly #window: Window;
  readonly #bytes: StreamBytes;
  readonly #records: RamRecords;
  #section: QemuSection | undefined;
  /** Bytes of blocks that the list has still to name. */
  #blocksLeft = 0;
  #mapped: MappedRam | undefined;
  readonly #source: ByteSource;
  readonly #streamStart: number;
  /** Reads only as far as pages come whole. */
  #endsAtChanges = false;

  private constructor(source: ByteSource, start: number) {
    this.#source = source;
    this.#streamStart = start;
    this.#window = new Window(source);
    this.#bytes = new StreamBytes(this.#window);
    this.batch = new PageBatch(this.#window);
    this.#records = new RamRecords(this.blocks);
  }

  /** @param start offset of the stream in the source. @throws FormatError, UnsupportedError */
  static async open(source: ByteSource, start = 0): Promise<QemuStreamReader> {
    const reader = new QemuStreamReader(source, start);
    try {
      await reader.#window.seek(start);
      await readStreamHeader(reader.#bytes);
      if ((await reader.#peekType()) === PartType.CONFIGURATION) {
        await reader.#bytes.u8('configuration');
        reader.configuration = await readConfiguration(reader.#bytes);
      }
      return reader;
    } catch (error) {
      reader.release();
      throw error;
    }
  }

  /** Bytes of the source passed so far. */
  get offset(): number {
    return this.#window.offset;
  }

  /** Bytes of all blocks, as the head of their list tells. */
  get blockBytes(): number {
    return this.#records.total;
  }

  /** Records of RAM that no QEMU writes, the first of them. */
  get oddRecords(): readonly OddRecord[] {
    return this.#records.odd;
  }

  /** Pages may have gone over other connections. */
  get sawMultifd(): boolean {
    return this.#records.sawMultifd;
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
      if (!this.#section && !(await this.#beginSection())) return false;
      if (this.#blocksLeft > 0 || this.#mapped) {
        if (await this.#readList()) return true;
        continue;
      }
      const stop = this.#scan();
      if (stop === 'end') await this.#endSection();
      else if (stop === 'block-list') this.#beginList();
      if (batch.count > 0) return true;
      if (stop === 'changes') {
        if (this.#endsAtChanges) return false;
        await this.#change();
        return true;
      }
      if (stop === 'more') await this.#more();
    }
  }

  /**
   * The rest of the stream, from the first device section on: a copy, and its offset. @throws UnsupportedError for more
   * than `MAX_TAIL` bytes
   */
  async tail(): Promise<{ bytes: Uint8Array; offset: number }> {
    const { offset } = this.#window;
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { bytes, position, end } = this.#window;
      pieces.push(bytes.slice(position, end));
      size += end - position;
      this.#window.position = end;
      if (size > MAX_TAIL)
        throw new UnsupportedError('too-long', `Cannot read devices: they take more than ${MAX_TAIL} bytes`, {
          offset,
        });
      if (this.#window.ended) return { bytes: Buffer.concat(pieces), offset };
      await this.#window.refill();
    }
  }

  /** Reads heads up to the next RAM section; false at the first device section, or at the end mark. */
  async #beginSection(): Promise<boolean> {
    for (;;) {
      const offset = this.#window.offset;
      const type = await this.#peekType();
      if (type === PartType.FULL || type === PartType.END_MARK) return false;
      this.#window.position++;
      if (type === PartType.COMMAND) this.commands.push(await readCommand(this.#bytes));
      else if (type === PartType.START) {
        await this.#start(offset);
        return true;
      } else if (type === PartType.PART || type === PartType.END) {
        await this.#goOn(type, offset);
        return true;
      } else {
        throw new QemuFormatError(
          'bad-section',
          `Cannot read section at ${hex(offset)}: type ${hex(type)} is unknown`,
          { offset },
          `Unknown savevm section type ${type}`,
        );
      }
    }
  }

  async #start(offset: number): Promise<void> {
    const id = await this.#bytes.u32('id of a section');
    const name = await this.#bytes.name('name of a section');
    const instance = await this.#bytes.u32('instance of a section');
    const version = await this.#bytes.u32('version of a section');
    const what = `Cannot read section ${JSON.stringify(name)} ${instance} at ${hex(offset)}`;
    const isRam = name === RAM_SECTION && instance === 0;
    const isKnown = OTHER_PARTED.test(name) || !isPc(this.configuration.machine);
    if (isRam ? this.sections.length > 0 : isKnown)
      throw new UnsupportedError('unknown-section', `${what}: of sections in parts only one "ram" is known`, {
        offset,
      });
    if (!isRam)
      throw new QemuFormatError(
        'bad-section',
        `${what}: QEMU has no such section in parts`,
        { offset },
        unknownSection(name, instance),
      );
    if (version !== RAM_VERSION) {
      const error = new UnsupportedError('ram-version', `${what}: version ${version}, expected ${RAM_VERSION}`, {
        offset,
      });
      throw version > RAM_VERSION
        ? error.saying(`savevm: unsupported version ${version} for 'ram' v${RAM_VERSION}`)
        : error;
    }
    this.#push({ type: 'start', id, name, instance, version, offset });
  }

  async #goOn(type: number, offset: number): Promise<void> {
    const id = await this.#bytes.u32('id of a section');
    const [first] = this.sections;
    if (first?.id !== id) {
      throw new QemuFormatError(
        'bad-section',
        `Cannot read section at ${hex(offset)}: no section has the id ${id}`,
        { offset },
        `Unknown savevm section ${id}`,
      );
    }
    this.#push({
      type: type === PartType.PART ? 'part' : 'end',
      id,
      name: first.name,
      instance: first.instance,
      version: first.version,
      offset,
    });
  }

  #push(head: Pick<QemuSection, 'type' | 'id' | 'name' | 'instance' | 'version' | 'offset'>): void {
    this.#section = { ...head, bodyOffset: this.#window.offset, bodySize: 0, footer: false };
    this.sections.push(this.#section);
  }

  async #endSection(): Promise<void> {
    const section = this.#section as QemuSection;
    section.bodySize = this.#window.offset - section.bodyOffset;
    this.#section = undefined;
    // Machine types before 2.4 have no footers.
    if ((await this.#peekType()) !== PartType.FOOTER) return;
    const { offset } = this.#window;
    await this.#bytes.u8('footer');
    const id = await this.#bytes.u32('footer');
    if (id !== section.id) throw badFooter(section.name, offset, id, section.id);
    section.footer = true;
  }

  #beginList(): void {
    this.#blocksLeft = this.#records.total;
    if (this.#blocksLeft === 0) this.blocks.settle(this.configuration.machine);
  }

  /** Reads the next block of the list; true when that put pages into the batch. */
  async #readList(): Promise<boolean> {
    if (this.#mapped) {
      if (!(await this.#mapped.scan(this.batch, this.leavesContents))) return true;
      this.#mapped = undefined;
      return false;
    }
    const { capabilities } = this.configuration;
    const form = { mapped: capabilities.includes(MAPPED_RAM), ignoreShared: capabilities.includes(IGNORE_SHARED) };
    const block: RamBlock = await readBlock(this.#bytes, this.blocks, this.#blocksLeft, form);
    this.#blocksLeft -= block.size;
    if (block.mapped) this.#mapped = new MappedRam(this.#window, this.blocks, block, block.mapped);
    if (this.#blocksLeft === 0 || block.mapped) this.blocks.settle(this.configuration.machine);
    return false;
  }

  /** Puts a page together that a record tells the changes of. */
  async #change(): Promise<void> {
    const records = this.#records;
    const changes = records.changes as PageChanges;
    const { at, length, offset } = changes;
    records.history ??= await this.#readHistory(offset);
    const page = await records.history.apply(changes, this.#window.bytes.subarray(at, at + length));
    records.addChanged(this.#window, this.batch, page);
  }

  /** Looks once more at all pages before the first one that only comes as changes. */
  async #readHistory(offset: number): Promise<PageHistory> {
    if (!this.#source.seekable)
      throw new UnsupportedError(
        'xbzrle',
        `Cannot read RAM record at ${hex(offset)}: it holds the changes of a page (xbzrle); they are read in a ` +
          'file, not in a pipe or a compressed image',
        { offset },
      );
    const history = new PageHistory(this.#source);
    const past = await QemuStreamReader.open(this.#source, this.#streamStart);
    past.#endsAtChanges = true;
    past.#records.history = history;
    try {
      let more = true;
      while (more) more = await past.nextPages();
      return history;
    } catch (error) {
      history.close();
      throw error;
    } finally {
      past.release();
    }
  }

  /** Damage is told when the pages before it have been taken. */
  #scan(): RamStop {
    try {
      return this.#records.scan(this.#window, this.batch);
    } catch (error) {
      if (this.batch.count === 0) throw error;
      return 'full';
    }
  }

  async #peekType(): Promise<number> {
    await this.#window.need(1, 'type of the next section');
    return this.#window.bytes[this.#window.position];
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

/** Says that a section's body did not end where it should. */
export function badFooter(name: string, offset: number, found: number, expected: number): QemuFormatError {
  const says = `Mismatched section id in footer for ${name} - read ${hex(found)} expected ${hex(expected)}`;
  return new QemuFormatError(
    'bad-footer',
    `Cannot read section ${JSON.stringify(name)}: the mark at ${hex(offset)} after it names section ${found}, ` +
      `expected ${expected}`,
    { offset },
    says,
  );
}
