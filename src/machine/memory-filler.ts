import { FormatError, hex } from '../../formats/errors.ts';
import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { isMmio2, isRam, type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../formats/pgm/page-sink.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { Encoding } from '../../formats/ssm/segments.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import { PageFlag, type RamRange } from '../pgm/pages/ram-range.ts';
import type { BuiltMemory } from './build-memory.ts';

export const CONTENTS = ['kept', 'judged', 'refused'] as const;
/**
 * Use of the contents of pages. `kept`: they go into the machine's memory; `judged`: they only decide whether a page is
 * private or zero; pages read as zeros, and take no memory; `refused`: the state must have none, else it is damaged.
 */
export type Contents = (typeof CONTENTS)[number];

/** Puts page records into a memory; the last record of a page counts. */
export class MemoryFiller implements PageSink {
  readonly #built: BuiltMemory;
  readonly #contents: Contents;
  /** The state leaves some pages out, so pages with a record are marked. */
  readonly #notesTold: boolean;
  /** Buffer into which the kernels decode pages. */
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
      // Ignores records for ROM or MMIO, and all records of zeros, as loaders do.
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

  /** Puts a page with content; one that turns out to be zeros takes no memory. */
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

  /** Zeros are not written where there are zeros: memory that was never touched takes no space. */
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
