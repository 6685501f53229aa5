import type { ByteSink, SeekableSink } from '../../files/sink.ts';
import { isRam, type PageBatch, PageKind } from '../../pgm/page-batch.ts';
import type { PageSink } from '../../pgm/page-sink.ts';
import { MIB } from '../../sizes.ts';
import type { QemuCommand, QemuConfiguration } from '../configuration.ts';
import { IGNORE_SHARED, MAPPED_RAM, MAX_NAME, PartType, RAM_SECTION, RAM_VERSION, RamFlag } from '../constants.ts';
import type { QemuRamLayout } from '../guest-layout.ts';
import { bitmapBytes, MAPPED_HEADER_SIZE, writeMappedHeader } from '../mapped-header.ts';
import { type RamBlock, RamBlocks } from '../ram-blocks.ts';
import type { PartedSection } from '../sections.ts';
import { BigEndianOutput } from './big-endian-output.ts';
import { writeCommand, writeConfiguration, writeStreamHeader } from './head.ts';
import { PageFinder } from './page-finder.ts';
import type { PageWriter, WritablePage } from './page-writer.ts';
import { PlacedPages } from './placed-pages.ts';
import { PlacedSink } from './placed-sink.ts';
import { StreamedPages } from './streamed-pages.ts';
import { WrittenRun } from './written-run.ts';

/** A stream to be written, without its pages and devices. */
export interface QemuStreamPlan {
  /** The capabilities decide the layout: `mapped-ram`, `x-ignore-shared`. */
  configuration: QemuConfiguration;
  /** Commands before the first section; default: none. */
  commands?: readonly QemuCommand[];
  /** Blocks of memory in the order of the list. `gcPhys` goes into streams with `x-ignore-shared`. */
  blocks: readonly { name: string; size: number; gcPhys?: number }[];
  /** Places of blocks in the guest's memory; default: those of its machine type. */
  layout?: QemuRamLayout;
  /** Id of section `ram`; devices have other ids. */
  ramId: number;
  /** Marks after sections; machine types before 2.4 have none. Default: true. */
  footers?: boolean;
  /** Files that get the pages of blocks which the stream leaves out (`x-ignore-shared`), by name of the block. */
  leftOut?: ReadonlyMap<string, SeekableSink>;
  /** Sections of devices that precede the pages of RAM. */
  early?: readonly PartedSection[];
  /** Names of blocks whose pages are dropped: the loader of the stream has them already. */
  dropped?: ReadonlySet<string>;
}

/** A device's section to be written. */
export interface WrittenSection {
  /** Id of the section, which no other section has. */
  id: number;
  /** As QEMU's device registers it: at most 255 bytes. */
  name: string;
  /** Tells sections of one name apart. */
  instance: number;
  /** Version of the body's layout. */
  version: number;
  /** As QEMU reads it: big-endian fields, one after the other, without a length. */
  body: Uint8Array;
}

/** Pages of mapped RAM begin at multiples of this. */
const MAPPED_ALIGNMENT = MIB;
const NOWHERE: PageWriter = { put: () => undefined, finish: async () => {} };
/** Room for any head of a part. */
const HEAD_ROOM = 4 * MAX_NAME;

/**
 * Writes a migration stream: `begin`, all pages by `take` or `put`, `endMemory`, `device` for each device, `end`. A
 * plain stream goes to any sink, front to back; mapped RAM needs one with places. Source: qemu-stream.md 2, 3, 5.
 */
export class QemuStreamWriter implements PageSink {
  /** The blocks, with their guest-physical addresses. */
  readonly blocks = new RamBlocks();
  readonly #out: BigEndianOutput;
  /** For mapped RAM: the file, with a buffer of pages. */
  readonly #file: PlacedSink | undefined;
  readonly #runs = new Map<SeekableSink, WrittenRun>();
  readonly #plan: QemuStreamPlan;
  readonly #finder: PageFinder;
  /** Writers of pages, by id of the block. */
  readonly #places: PageWriter[] = [];
  /** Bitmaps, which are written after all pages. */
  readonly #bitmaps: { pages: PlacedPages; offset: number }[] = [];

  private constructor(sink: ByteSink | SeekableSink, plan: QemuStreamPlan, start: number) {
    const { capabilities, machine } = plan.configuration;
    this.#plan = plan;
    this.#file = capabilities.includes(MAPPED_RAM) ? new PlacedSink(sink as SeekableSink, start) : undefined;
    this.#out = new BigEndianOutput(this.#file ?? sink);
    for (const { name, size, gcPhys } of plan.blocks) {
      const block = this.blocks.add(name, size);
      if (gcPhys !== undefined) block.gcPhys = gcPhys;
    }
    this.blocks.settle(machine);
    if (plan.layout) this.blocks.layout = plan.layout;
    this.#finder = new PageFinder(this.blocks);
  }

  /**
   * Writes head and list of blocks. @param start offset of the stream in a sink that takes bytes at any place; other
   * sinks continue at their position
   */
  static async begin(sink: ByteSink | SeekableSink, plan: QemuStreamPlan, start = 0): Promise<QemuStreamWriter> {
    const writer = new QemuStreamWriter(sink, plan, start);
    await writer.#begin();
    return writer;
  }

  /**
   * Takes pages: RAM by guest-physical page frame, memory of devices by number of the block in the list.
   * @throws UnsupportedError `does-not-fit` for a page of no block
   */
  async take(batch: PageBatch): Promise<void> {
    const finder = this.#finder;
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      if (isRam(kind)) finder.findFrame(batch.page[i]);
      else finder.findPage(kind, batch.id[i], batch.page[i]);
      const content = kind === PageKind.RAM_RAW || kind === PageKind.MMIO2_RAW ? batch : undefined;
      const waits = this.#places[finder.block.id].put(finder.block, finder.offset, content, i);
      if (waits) await waits;
    }
  }

  /** Takes a page of a block; a page of zeros if there is no content. @param offset of the page in the block */
  async put(block: RamBlock, offset: number, content?: WritablePage): Promise<void> {
    await this.#places[block.id].put(block, offset, content, 0);
  }

  /**
   * Ends section `ram`, with an empty last part, as QEMU does for a stopped machine. @param others other sections in
   * parts, which precede that part
   */
  async endMemory(others: readonly PartedSection[] = []): Promise<void> {
    for (const places of new Set(this.#places)) await places.finish();
    for (const { pages, offset } of this.#bitmaps) await this.#file?.file.writeAt(pages.bitmap, offset);
    await this.#ensureRoom();
    this.#endSection();
    for (const section of others) if (section.type !== 'full') await this.#parted(section);
    await this.#ensureRoom();
    this.#goOn(PartType.END, this.#plan.ramId);
    this.#endSection();
  }

  /** Writes the section of a device. */
  async device({ id, name, instance, version, body }: WrittenSection): Promise<void> {
    await this.#ensureRoom();
    this.#putHead(PartType.FULL, id, name, instance, version);
    await this.#putBody(id, body);
  }

  async #parted({ type, id, name, instance, version, body }: PartedSection): Promise<void> {
    await this.#ensureRoom();
    if (type === 'start') this.#putHead(PartType.START, id, name, instance, version);
    else this.#goOn(type === 'part' ? PartType.PART : PartType.END, id);
    await this.#putBody(id, body);
  }

  async #putBody(id: number, body: Uint8Array): Promise<void> {
    await this.#out.bytes(body);
    await this.#ensureRoom();
    this.#putFooter(id);
  }

  /** Ends the stream with the devices and end mark of another stream. */
  async endWith(tail: Uint8Array): Promise<void> {
    await this.#out.bytes(tail);
    await this.#out.flush();
  }

  /**
   * Writes the end of the stream. @param description JSON that describes the sections. Without it, QEMU only prints a
   * warning
   */
  async end(description?: Uint8Array): Promise<void> {
    await this.#ensureRoom();
    this.#out.u8(PartType.END_MARK);
    if (description) {
      this.#out.u8(PartType.DESCRIPTION);
      this.#out.u32(description.length);
      await this.#out.bytes(description);
    }
    await this.#out.flush();
  }

  /** Gives memory back; to be called also after errors. */
  release(): void {
    this.#out.release();
    for (const run of this.#runs.values()) run.release();
    this.#runs.clear();
  }

  async #begin(): Promise<void> {
    const { configuration, commands = [], ramId, early = [] } = this.#plan;
    writeStreamHeader(this.#out);
    await writeConfiguration(this.#out, configuration);
    for (const command of commands) await writeCommand(this.#out, command);
    await this.#ensureRoom();
    this.#putHead(PartType.START, ramId, RAM_SECTION, 0, RAM_VERSION);
    this.#out.u64(this.blocks.all.reduce((sum, { size }) => sum + size, 0) + RamFlag.BLOCK_LIST);
    const records = new StreamedPages(this.#out);
    for (const block of this.blocks.all) await this.#listBlock(block, records);
    await this.#ensureRoom();
    this.#endSection();
    for (const section of early) await this.device(section);
    await this.#ensureRoom();
    this.#goOn(PartType.PART, ramId);
  }

  async #listBlock(block: RamBlock, records: StreamedPages): Promise<void> {
    const out = this.#out;
    await this.#ensureRoom();
    out.name(block.name);
    out.u64(block.size);
    if (this.#plan.configuration.capabilities.includes(IGNORE_SHARED)) out.u64(block.gcPhys ?? -1);
    const sink = this.#plan.leftOut?.get(block.name);
    if (this.#plan.dropped?.has(block.name)) {
      this.#places.push(NOWHERE);
      return;
    }
    const own = this.#file ? await this.#placePages(block, this.#file) : records;
    this.#places.push(sink ? new PlacedPages(this.#runTo(sink), block, 0) : own);
  }

  #runTo(sink: SeekableSink): WrittenRun {
    const run = this.#runs.get(sink) ?? new WrittenRun(sink);
    this.#runs.set(sink, run);
    return run;
  }

  /** Reserves room for the bitmap of a block and for its pages. */
  async #placePages(block: RamBlock, file: PlacedSink): Promise<PlacedPages> {
    await this.#out.flush();
    const bitmapOffset = file.position + MAPPED_HEADER_SIZE;
    const bitmapEnd = bitmapOffset + bitmapBytes(block.size);
    const pagesOffset = Math.ceil(bitmapEnd / MAPPED_ALIGNMENT) * MAPPED_ALIGNMENT;
    writeMappedHeader(this.#out, { bitmapOffset, pagesOffset });
    await this.#out.flush();
    const pages = new PlacedPages(this.#runTo(file.file), block, pagesOffset);
    this.#bitmaps.push({ pages, offset: bitmapOffset });
    file.position = pagesOffset + block.size;
    return pages;
  }

  #putHead(type: number, id: number, name: string, instance: number, version: number): void {
    this.#out.u8(type);
    this.#out.u32(id);
    this.#out.name(name);
    this.#out.u32(instance);
    this.#out.u32(version);
  }

  #goOn(type: number, id: number): void {
    this.#out.u8(type);
    this.#out.u32(id);
  }

  #endSection(): void {
    this.#out.u64(RamFlag.END);
    this.#putFooter(this.#plan.ramId);
  }

  #putFooter(id: number): void {
    if (this.#plan.footers === false) return;
    this.#out.u8(PartType.FOOTER);
    this.#out.u32(id);
  }

  async #ensureRoom(): Promise<void> {
    if (!this.#out.hasRoom(HEAD_ROOM)) await this.#out.flush();
  }
}
