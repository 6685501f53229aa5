import { InterruptedError, UnsupportedError, UsageError } from '../../formats/errors.ts';
import type { ByteSink, SeekableSink } from '../../formats/files/sink.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { PgmPassWriter } from '../../formats/pgm/pgm-writer.ts';
import { pgmVersion } from '../../formats/pgm/versions.ts';
import { KIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ContainerWriter } from '../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../formats/ssm/writing/create-container.ts';
import { turn } from '../../formats/world/waiting.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import { PageFlag } from '../pgm/pages/ram-range.ts';
import { leavesPagesOut } from './load.ts';
import type { Machine } from './machine.ts';
import { writeOldMemory } from './save-old.ts';

/** Options of saving. */
export interface SaveOptions {
  /** Stops the work. Then InterruptedError is thrown. */
  signal?: AbortSignal;
  /** Called with the number of pages written so far, and of all pages. */
  onProgress?: (done: number, total: number) => void;
  /**
   * false: no contents of pages, and no records of ordinary RAM. The result loads as a machine whose memory is zeros.
   */
  contents?: boolean;
  /**
   * true: RAM pages without a record in the machine's own state that are still zero get no record again; else each page
   * has a record, as VirtualBox writes it.
   */
  leavesOutAgain?: boolean;
}

/** Bytes in a call of the container writer. */
const PIECE = 64 * KIB;
/** Pages that are skipped in about 50 ms. */
const TURN_PAGES = 2 ** 22;
const ZERO_PAGE = new Uint8Array(PAGE_SIZE);

/**
 * Writes a machine as a plain saved state, in the container and the pgm version that it was loaded from; units that
 * savkit does not interpret keep their bytes. The guest must not write to memory meanwhile.
 *
 * @throws UnsupportedError for V1.x on a stream, UsageError `busy` during another save
 */
export async function saveState(
  machine: Machine,
  sink: ByteSink | SeekableSink,
  options: SaveOptions = {},
): Promise<void> {
  const { memory } = machine;
  if (memory.noMorePhysWrites) throw new UsageError('busy', 'Cannot save machine: another save is running');
  memory.setNoMorePhysWrites(true);
  try {
    await new MachineWriter(machine, sink, options).write();
  } finally {
    memory.setNoMorePhysWrites(false);
  }
}

class MachineWriter {
  readonly #machine: Machine;
  readonly #out: ContainerWriter;
  readonly #options: SaveOptions;
  readonly #total: number;
  readonly #leavesOut: boolean;
  /** Pages of zeros get a record only if they have the mark `TOLD`. */
  readonly #wantsMark: boolean;
  #done = 0;

  constructor(machine: Machine, sink: ByteSink | SeekableSink, options: SaveOptions) {
    const { header, units } = machine.state;
    this.#machine = machine;
    this.#options = options;
    this.#leavesOut = options.contents === false;
    this.#wantsMark = options.leavesOutAgain === true && leavesPagesOut(machine.memory, machine.state);
    this.#total = machine.memory.pages.counts.all;
    this.#out = createContainer(sink, header.format, {
      ...header,
      live: false,
      registeredUnits: header.registeredUnits ?? units.length,
    });
  }

  async write(): Promise<void> {
    for (const { header, payload } of this.#machine.units) {
      this.#out.beginUnit({ ...header, pass: 'final' });
      if (payload) await this.#putPayload(payload);
      else await this.#putMemory(header.version);
      this.#out.endUnit();
      await this.#out.flush();
    }
    await this.#out.finish();
  }

  async #putPayload(payload: Uint8Array): Promise<void> {
    for (let at = 0; at < payload.length; at += PIECE) {
      this.#out.put(payload.subarray(at, at + PIECE));
      if (this.#out.isFull) await this.#breathe();
    }
  }

  async #putMemory(versionNumber: number): Promise<void> {
    const version = pgmVersion(versionNumber);
    const { basic, state } = this.#machine;
    if (!version || !basic)
      throw new UnsupportedError('unsupported-version', `Cannot write unit pgm of version ${versionNumber}`);
    if (version.pages !== 'records') return writeOldMemory(this.#machine, basic, version, this.#out);
    const pass = new PgmPassWriter(this.#out, version, state.header.widths, basic, this.#machine.config);
    await this.#putRoms(pass);
    await this.#putMmio2(pass);
    await this.#putRam(pass, version.balloonRecords);
    pass.end();
  }

  async #putRoms(pass: PgmPassWriter): Promise<void> {
    const { roms } = this.#machine.memory;
    for (const [i, rom] of roms.all.entries()) {
      for (let page = 0; page < rom.pages; page++) {
        pass.putPage(PageKind.ROM_VIRGIN, page, i + 1, rom.protection[page], this.#bytesOf(rom.virginId[page]));
        if (this.#isDue()) await this.#breathe();
      }
    }
    for (const [i, rom] of roms.all.entries()) {
      for (let page = 0; rom.isShadowed && page < rom.pages; page++) {
        const content = this.#contentOf(rom.shadowId(page));
        pass.putPage(
          content ? PageKind.ROM_SHADOW_RAW : PageKind.ROM_SHADOW_ZERO,
          page,
          i + 1,
          rom.protection[page],
          content,
        );
        if (this.#isDue()) await this.#breathe();
      }
    }
  }

  async #putMmio2(pass: PgmPassWriter): Promise<void> {
    if (this.#leavesOut) return;
    for (const [i, { pages, pageId }] of this.#machine.memory.mmio2.all.entries()) {
      for (let page = 0; page < pages; page++) {
        const content = this.#contentOf(pageId[page]);
        pass.putPage(content ? PageKind.MMIO2_RAW : PageKind.MMIO2_ZERO, page, i + 1, 0, content);
        if (this.#isDue()) await this.#breathe();
      }
    }
  }

  async #putRam(pass: PgmPassWriter, balloonRecords: boolean): Promise<void> {
    const { memory } = this.#machine;
    // A migration saves without pages while the machine is paused: a walk through all pages without a result would only
    // take time.
    if (this.#leavesOut && memory.pages.counts.ballooned === 0) return;
    for (const range of memory.ranges) {
      if (range.kind !== 'ram') continue;
      const first = range.start / PAGE_SIZE;
      for (let page = 0; page < range.pages; page++) {
        if (page % TURN_PAGES === 0) await this.#breathe();
        if (range.type[page] !== PageType.RAM) continue;
        const isBallooned = range.state[page] === PageState.BALLOONED && balloonRecords;
        if (this.#leavesOut && !isBallooned) continue;
        const content = this.#contentOf(range.pageId[page]);
        if (this.#wantsMark && !content && !isBallooned && (range.flags[page] & PageFlag.TOLD) === 0) continue;
        pass.putPage(
          content ? PageKind.RAM_RAW : isBallooned ? PageKind.RAM_BALLOONED : PageKind.RAM_ZERO,
          first + page,
          0,
          0,
          content,
        );
        if (this.#isDue()) await this.#breathe();
      }
    }
  }

  /** Counts a page; true when the output's buffer is full. */
  #isDue(): boolean {
    this.#done++;
    return this.#out.isFull;
  }

  async #breathe(): Promise<void> {
    await this.#out.flush();
    // Files are written synchronously: other work, and a cancel, get their turn here. A machine may run while its state
    // without pages is written: a turn would let its guest write, which is refused meanwhile.
    if (!this.#leavesOut) await turn();
    if (this.#options.signal?.aborted) throw new InterruptedError();
    this.#options.onProgress?.(this.#done, this.#total);
  }

  /** The bytes of a page, borrowed; undefined where they are all zero. */
  #contentOf(id: number): Uint8Array | undefined {
    if (id === 0 || this.#leavesOut) return undefined;
    const chunk = this.#machine.memory.pages.backing.chunkBytes(id);
    return isZero(chunk, offsetInChunk(id), PAGE_SIZE)
      ? undefined
      : chunk.subarray(offsetInChunk(id), offsetInChunk(id) + PAGE_SIZE);
  }

  #bytesOf(id: number): Uint8Array {
    return this.#leavesOut ? ZERO_PAGE : this.#machine.memory.pages.backing.pageBytes(id);
  }
}
