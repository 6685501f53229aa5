import { FormatError, hex, UnsupportedError, UsageError } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../formats/pgm/page-sink.ts';
import { isPgm } from '../../formats/pgm/pgm-reader.ts';
import { KIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { UnitHeader } from '../../formats/ssm/container.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import type { HostBacking } from '../pgm/pages/host-backing.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import { PageFlag, type RamRange } from '../pgm/pages/ram-range.ts';
import { isOfLiveSave } from '../saved-state/reading/live-parts.ts';
import type { PgmSummary, SavedState } from '../saved-state/reading/state.ts';
import type { WalkOptions } from '../saved-state/reading/walk.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import { type BuiltMemory, buildMemory } from './build-memory.ts';
import { type LoadedUnit, Machine } from './machine.ts';

/**
 * `kept` in the machine's memory, as usual; `judged`: a page is private or zero as its content has it, but reads as
 * zeros, and takes no memory; `refused`: a state that is to tell of pages without their contents, and has some, is
 * damaged.
 */
export type Contents = 'kept' | 'judged' | 'refused';

/** How a state becomes a machine. */
export interface LoadOptions extends Pick<WalkOptions, 'signal'> {
  /** Where the pages go; default: this process's own memory. */
  backing?: HostBacking;
  /**
   * Of a state of a stranger: bytes of memory that the machine may have, RAM, ROMs and device memory together. Counted
   * before any is taken.
   */
  maxMemory?: number;
  /** Bytes that its units besides memory may have when they are expanded; 256 MiB by default. */
  maxUnitBytes?: number;
  /** What is done with the contents of pages: `kept` unless told. */
  contents?: Contents;
  /** Called with the file offset reached, in each of two readings. */
  onProgress?: (doing: 'checking' | 'loading', offset: number) => void;
}

/** Units other than memory hold device states and a screenshot: some MiB. */
const MAX_UNIT_BYTES = 256 * MIB;

/**
 * Builds a machine from a saved state of any container and any version of the pgm unit. Live passes are applied; what
 * they leave is kept.
 *
 * @param source seekable: the whole state is checked before any of it is believed
 * @throws FormatError for damage, UnsupportedError for what no machine can be built from
 */
export async function loadState(source: ByteSource, options: LoadOptions = {}): Promise<Machine> {
  if (!source.seekable)
    throw new UsageError('not-seekable', `Cannot load ${source.name}: it has to be read twice, so it must be a file`);
  const { backing, maxMemory, maxUnitBytes = MAX_UNIT_BYTES, contents = 'kept', onProgress, ...walk } = options;
  const reading = (doing: 'checking' | 'loading') =>
    onProgress ? { ...walk, onProgress: (offset: number) => onProgress(doing, offset) } : walk;
  const state = await walkState(source, reading('checking'));
  const built = buildAsTold(state, expectMemoryUnit(state), {
    backing,
    maxMemory,
  });
  const units = new UnitCollector(maxUnitBytes);
  const loader = new PageLoader(built, contents, leavesPagesOut(built.memory, state));
  try {
    await walkState(source, {
      ...reading('loading'),
      skipCrc: true,
      sink: loader,
      payload: units,
      onUnit: units.begin,
    });
  } finally {
    loader.end();
  }
  protectRoms(built, expectMemoryUnit(state).romProtection);
  built.memory.handlers.reapply();
  return new Machine(built.memory, state, units.units);
}

/** Whether a state has no word of some pages of RAM: loaders leave them zero. */
export function leavesPagesOut({ ranges }: GuestMemory, { pgm }: SavedState): boolean {
  return ranges.all.reduce((sum, { kind, pages }) => (kind === 'ram' ? sum + pages : sum), 0) > (pgm?.ramPages ?? 0);
}

/** @throws UnsupportedError where a state tells of no memory */
export function expectMemoryUnit({ pgm }: SavedState): PgmSummary {
  if (!pgm?.basic)
    throw new UnsupportedError('no-memory-unit', 'Cannot load state: it has no final pgm unit, and so no memory');
  return pgm;
}

/** What can't be put together is the file's fault, not the caller's. */
function buildAsTold(...told: Parameters<typeof buildMemory>): BuiltMemory {
  try {
    return buildMemory(...told);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new FormatError(
      'bad-pgm',
      `Cannot load state: its memory does not fit together: ${error.message}`,
      error.place,
      error.vboxCode,
    );
  }
}

/** Keeps the units in file order, and the payloads of all but pgm. */
class UnitCollector {
  readonly #limit: number;
  readonly #headers: UnitHeader[] = [];
  readonly #ends: number[] = [];
  #bytes = new Uint8Array(64 * KIB);
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  readonly begin = (header: UnitHeader) => {
    if (isPgm(header) ? header.pass !== 'final' : isOfLiveSave(header)) return;
    this.#headers.push(header);
    this.#ends.push(this.#size);
  };

  wants(unit: UnitHeader): boolean {
    return !isPgm(unit) && !isOfLiveSave(unit);
  }

  take(piece: Uint8Array): void {
    const size = this.#size + piece.length;
    if (size > this.#limit)
      throw new UnsupportedError(
        'too-much-memory',
        `Cannot load state: its units have more than ${this.#limit} bytes besides memory`,
      );
    if (size > this.#bytes.length) {
      const larger = new Uint8Array(2 * size);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.#size);
    this.#size = size;
    this.#ends[this.#ends.length - 1] = size;
  }

  get units(): LoadedUnit[] {
    return this.#headers.map((header, i) =>
      isPgm(header) ? { header } : { header, payload: this.#bytes.slice(this.#ends[i - 1] ?? 0, this.#ends[i]) },
    );
  }
}

/** Puts page records into a memory. Of a page the last one counts. */
class PageLoader implements PageSink {
  readonly #built: BuiltMemory;
  readonly #contents: Contents;
  /** Some pages are left out, so those that are not are marked. */
  readonly #notesTold: boolean;
  /** Where pages are decoded: by kernels in place. */
  readonly #page = takeBuffer(PAGE_SIZE);

  constructor(built: BuiltMemory, contents: Contents, notesTold: boolean) {
    this.#built = built;
    this.#contents = contents;
    this.#notesTold = notesTold;
  }

  end(): void {
    returnBuffer(this.#page);
  }

  take(batch: PageBatch): void {
    for (let i = 0; i < batch.count; i++) {
      if (this.#contents === 'refused' && !hasNoContent(batch, i))
        throw new FormatError(
          'unexpected-content',
          `Cannot load page ${batch.page[i]}: it has content, expected none in this state`,
        );
      this.#put(batch, i);
    }
    this.#built.memory.pages.flush();
  }

  #put(batch: PageBatch, i: number): void {
    const kind = batch.kind[i];
    if (isRam(kind)) this.#putRam(batch, i);
    else if (isMmio2(kind)) this.#putMmio2(batch, i);
    else if (kind !== PageKind.ROM_PROTECTION) this.#putRom(batch, i);
  }

  #putRam(batch: PageBatch, i: number): void {
    const { memory } = this.#built;
    const gcPhys = batch.page[i] * PAGE_SIZE;
    const kind = batch.kind[i];
    const range = memory.ranges.find(gcPhys);
    const page = range?.pageOf(gcPhys) ?? 0;
    if (range?.type[page] !== PageType.RAM) {
      // Loaders tolerate records of zeros where there is ROM, MMIO or nothing.
      if (kind === PageKind.RAM_RAW && range === undefined)
        throw misplaced('RAM page', hex(gcPhys), 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS');
      return;
    }
    if (this.#notesTold) range.flags[page] |= PageFlag.TOLD;
    const { pages } = memory;
    if (range.state[page] === PageState.BALLOONED && kind !== PageKind.RAM_BALLOONED)
      pages.apply('deflate', range, page);
    if (kind === PageKind.RAM_BALLOONED) pages.apply('balloon', range, page);
    else if (hasNoContent(batch, i)) pages.apply('free', range, page);
    else this.#putContent(batch, i, range, page);
  }

  /** A page whose content turns out to be zeros takes no memory. */
  #putContent(batch: PageBatch, i: number, range: RamRange, page: number): void {
    const { pages } = this.#built.memory;
    const isPlain = batch.encoding[i] === Encoding.RAW;
    if (!isPlain) batch.decode(i, this.#page, 0);
    const bytes = isPlain ? batch.window.bytes : this.#page;
    const at = isPlain ? batch.at[i] : 0;
    if (isZero(bytes, at, PAGE_SIZE)) pages.apply('free', range, page);
    else {
      const chunk = pages.writableChunk(range, page);
      const content = bytes.subarray(at, at + PAGE_SIZE);
      if (this.#contents === 'kept') chunk.set(content, offsetInChunk(range.pageId[page]));
    }
  }

  #putMmio2(batch: PageBatch, i: number): void {
    const place = this.#built.mmio2Page(batch.id[i], batch.page[i]);
    if (!place || place.page >= place.mmio2.pages)
      throw misplaced('MMIO2 page', `${batch.page[i]} of range ${batch.id[i]}`, 'VERR_PGM_SAVED_MMIO2_PAGE_NOT_FOUND');
    const id = place.mmio2.pageId[place.page];
    this.#putInto(this.#built.memory.pages.backing.chunkBytes(id), offsetInChunk(id), batch, i);
  }

  #putRom(batch: PageBatch, i: number): void {
    const place = this.#built.romPage(batch.id[i], batch.page[i]);
    if (!place || place.page >= place.rom.pages)
      throw misplaced('ROM page', `${batch.page[i]} of range ${batch.id[i]}`, 'VERR_PGM_SAVED_ROM_PAGE_NOT_FOUND');
    const { rom, page } = place;
    const { roms } = this.#built.memory;
    if (batch.kind[i] === PageKind.ROM_VIRGIN)
      this.#putInto(roms.virginChunk(rom, page), offsetInChunk(rom.virginId[page]), batch, i);
    else if (hasNoContent(batch, i)) roms.dropShadow(rom, page);
    else this.#putInto(roms.shadowChunk(rom, page), offsetInChunk(rom.shadowId(page)), batch, i);
  }

  /** Memory that was never touched is not touched for zeros. */
  #putInto(chunk: Uint8Array, at: number, batch: PageBatch, i: number): void {
    if (this.#contents === 'judged') batch.decode(i, this.#page, 0);
    else if (!hasNoContent(batch, i) || !isZero(chunk, at, PAGE_SIZE)) batch.decode(i, chunk, at);
  }
}

function hasNoContent(batch: PageBatch, i: number): boolean {
  return batch.encoding[i] === Encoding.NONE || batch.encoding[i] === Encoding.ZERO;
}

function misplaced(what: string, where: string, vboxCode: string): FormatError {
  return new FormatError('misplaced-page', `Cannot load ${what} ${where}: the machine has none there`, {}, vboxCode);
}

/** The protections that the state ends with, set last: records may come in any order. */
function protectRoms({ memory, romPage }: BuiltMemory, protections: ReadonlyMap<number, Uint8Array>): void {
  for (const [id, pages] of protections) {
    for (const [page, protection] of pages.entries()) {
      const place = protection > 0 ? romPage(id, page) : undefined;
      if (place && place.page < place.rom.pages)
        memory.roms.protect(place.rom.start + place.page * PAGE_SIZE, PAGE_SIZE, protection);
    }
  }
  for (const rom of memory.roms.all) rom.writtenTo.fill(0);
}
