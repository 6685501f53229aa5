import { FormatError, hex, SavkitError, throwDamage, UnsupportedError } from '../../../formats/errors.ts';
import { ReadableParts } from '../../../formats/files/readable-parts.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { type OpenedQemuState, type OpenQemuOptions, openQemuState } from '../../../formats/qemu/containers/open.ts';
import { CPU_SECTION, readCpu } from '../../../formats/qemu/cpu.ts';
import { splitDevices } from '../../../formats/qemu/device-sections.ts';
import type { QemuRamLayout } from '../../../formats/qemu/guest-layout.ts';
import { lowRamOf } from '../../../formats/qemu/low-ram.ts';
import { pageOf, type RamBlock } from '../../../formats/qemu/ram-blocks.ts';
import { filesOfBlocks, SharedRam } from '../../../formats/qemu/shared-ram.ts';
import type { QemuStreamReader } from '../../../formats/qemu/stream/stream-reader.ts';
import { Turns } from '../../../formats/turns.ts';
import { type Finding, findingOf, MAX_FINDINGS } from '../reading/findings.ts';
import type { UnitSummary } from '../reading/state.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { BlockCensus } from './block-census.ts';
import { pluggedMemory } from './plugged-memory.ts';
import type { QemuState } from './qemu-state.ts';
import { readRunState } from './run-state.ts';
import { deviceUnit, partedUnits } from './section-units.ts';

export interface QemuReadOptions extends WalkOptions, OpenQemuOptions {
  /** Layout of RAM, if an earlier reading of the same state has found it. */
  layout?: QemuRamLayout;
  /** Called for each page that is lost with unreadable bytes of a failing disk; it may have been there before. */
  onLost?: (block: RamBlock, page: number) => void;
}

/**
 * Reads a state of QEMU from front to back; the result tells devices, and whether blocks of memory are whole.
 * @throws SavkitError; with `onDamage` only errors that end all reading: a senseless container or head
 */
export async function readQemuState(source: ByteSource, options: QemuReadOptions = {}): Promise<QemuState> {
  const opened = await openQemuState(source, options);
  try {
    return await new Reading(opened, source, options).run();
  } catch (error) {
    throw error instanceof SavkitError ? error.in(source.name) : error;
  } finally {
    await opened.release();
  }
}

class Reading {
  readonly #opened: OpenedQemuState;
  readonly #source: ByteSource;
  readonly #reader: QemuStreamReader;
  readonly #options: QemuReadOptions;
  readonly #census: BlockCensus;
  readonly #turns: Turns;
  /** Findings of each section, by `name/instance`. */
  readonly #findings = new Map<string, Finding[]>();
  #reported = 0;

  constructor(opened: OpenedQemuState, source: ByteSource, options: QemuReadOptions) {
    this.#opened = opened;
    this.#source = source;
    this.#reader = opened.reader;
    this.#options = options;
    this.#reader.leavesContents = !options.sink && !options.deep;
    this.#reader.lowRam = options.layout?.stretches[0]?.size;
    this.#census = new BlockCensus(this.#reader);
    this.#reader.onLost = (block, address) => {
      this.#census.drop(block, address);
      options.onLost?.(block, pageOf(this.#reader.blocks, block, address));
    };
    this.#turns = Turns.rare(options.signal);
  }

  async run(): Promise<QemuState> {
    const isWhole = await this.#readMemory();
    const { configuration, commands, blocks, sections } = this.#reader;
    const state: QemuState = {
      container: this.#opened.container,
      size: this.#reader.offset,
      configuration,
      commands,
      blocks: this.#census.summaries(),
      blockBytes: this.#reader.blockBytes,
      layout: blocks.layout,
      ramSections: sections,
      otherSections: this.#reader.others,
      units: [],
      devices: [],
      split: 'description',
      trailing: 0,
      ended: false,
      cpus: [],
      memoryRead: isWhole,
      gaps: this.#reader.gaps,
      parts: this.#opened.parts,
      oddRecords: this.#reader.oddRecords,
      hasOtherChannels: this.#reader.sawMultifd,
    };
    const ramEnd = state.size;
    if (isWhole) await this.#readDevices(state);
    state.units = this.#unitsOf(state, ramEnd);
    return state;
  }

  /** @returns false where damage has ended the reading */
  async #readMemory(): Promise<boolean> {
    const isWhole = await this.#tolerant(() => this.#readRecords());
    const isComplete = await this.#tolerant(() => this.#readSharedRam(isWhole));
    return isWhole && isComplete;
  }

  async #readRecords(): Promise<void> {
    const { sink } = this.#options;
    while (await this.#reader.nextPages()) {
      this.#census.add(this.#reader.batch);
      await sink?.take(this.#reader.batch);
      await this.#tick();
    }
  }

  /**
   * Reads RAM that the state leaves out from the files that hold it. @param isWhole all records were read; if not, a
   * block without pages may have been lost rather than left out
   */
  async #readSharedRam(isWhole: boolean): Promise<void> {
    const { ram = [] } = this.#source;
    const isGiven = ({ name, size }: RamBlock) =>
      ram.some(({ source, block }) => source.size === size && (block ?? name) === name);
    const leftOut = this.#census.leftOut().filter((block) => isWhole || isGiven(block));
    if (ram.length === 0 || leftOut.length === 0) return;
    const { disk, signal } = this.#options;
    for (const [block, file] of filesOfBlocks(ram, leftOut))
      await this.#readShared(new SharedRam(disk ? new ReadableParts(file, signal) : file, this.#reader.blocks, block));
  }

  async #readShared(shared: SharedRam): Promise<void> {
    try {
      while (await shared.nextPages()) {
        this.#census.add(shared.batch);
        await this.#options.sink?.take(shared.batch);
        await this.#tick();
      }
    } finally {
      shared.release();
    }
  }

  async #readDevices(state: QemuState): Promise<void> {
    const tail = await this.#reader.tail();
    const hasMarks = state.ramSections.some(({ footer }) => footer);
    const split = splitDevices(tail.bytes, tail.offset, (error) => this.#report(error), hasMarks);
    const { devices } = split;
    Object.assign(state, split);
    this.#placeRam(state);
    this.#placePlugged(state);
    state.trailing += tail.left;
    state.size = tail.offset + tail.bytes.length + tail.left;
    state.cpus = devices.filter(({ name }) => name === CPU_SECTION).flatMap((device) => readCpu(device) ?? []);
    const runState = readRunState(devices);
    if (runState !== undefined) state.runState = runState;
    for (const [i, unit] of partedUnits(state.otherSections, tail.offset).entries())
      await this.#passOn(unit, state.otherSections[i].body);
    for (const device of devices) await this.#passOn(deviceUnit(device), device.body);
  }

  /**
   * Corrects the layout of RAM by the devices. A file tells it before its pages are read; a stream read once tells it
   * only after them.
   */
  #placeRam(state: QemuState): void {
    const { blocks, configuration } = this.#reader;
    const low = lowRamOf(state.devices, blocks.ownRamSize);
    const [{ size: placed }] = blocks.layout.stretches;
    if (low === undefined) return;
    blocks.settle(configuration.machine, low);
    const [{ size }] = blocks.layout.stretches;
    if (size === placed) return;
    state.layout = blocks.layout;
    state.blocks = this.#census.summaries();
    if (!this.#options.sink) return;
    const message =
      `Cannot place memory: ${hex(size)} bytes of RAM are below 4 GiB (max-ram-below-4g), which only the end of the ` +
      'state tells, after its pages; savkit convert makes a plain file of a volume or an image';
    this.#report(new UnsupportedError('not-seekable', message));
  }

  /** Puts memory of virtio-mem devices at the addresses that the devices tell. */
  #placePlugged(state: QemuState): void {
    let isPlaced = false;
    for (const block of this.#reader.blocks.all) {
      const plugged = block.isRam ? undefined : pluggedMemory(block, state);
      if (plugged) block.gcPhys ??= plugged.gcPhys;
      isPlaced ||= plugged !== undefined;
    }
    if (isPlaced) state.blocks = this.#census.summaries();
  }

  async #passOn(unit: UnitSummary, body: Uint8Array): Promise<void> {
    this.#options.onUnit?.(unit);
    if (this.#options.payload?.wants(unit)) await this.#options.payload.take(body);
  }

  #unitsOf(state: QemuState, ramEnd: number): UnitSummary[] {
    const parted = [...state.ramSections, ...state.otherSections].sort((a, b) => a.offset - b.offset);
    const units = [...partedUnits(parted, ramEnd), ...state.devices.map(deviceUnit)];
    for (const unit of units) unit.findings = this.#findings.get(`${unit.name}/${unit.instance}`) ?? [];
    return units;
  }

  /** Does a step of the reading. @returns false if damage ended the step, after a report */
  async #tolerant(step: () => Promise<void>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof UnsupportedError)) throw error;
      error.at({ unit: 'ram', instance: 0 });
      this.#report(error);
      return false;
    }
  }

  #report(error: SavkitError): void {
    const { unit, instance = 0 } = error.place;
    const key = `${unit}/${instance}`;
    const found = this.#findings.get(key) ?? [];
    if (this.#reported++ < MAX_FINDINGS) found.push(findingOf(error));
    this.#findings.set(key, found);
    (this.#options.onDamage ?? throwDamage)(error as FormatError);
  }

  async #tick(): Promise<void> {
    this.#options.onProgress?.(this.#reader.offset);
    if (this.#turns.areDue) await this.#turns.give();
  }
}
