import { isZero } from '../../../formats/kernels/zero.ts';
import {
  CHUNK_PAGES,
  hasChunks,
  OldPageType,
  type OldRange,
  type PageRun,
  type PageTypeNumbering,
} from '../../../formats/pgm/old-ranges.ts';
import type { OldPgmWriter } from '../../../formats/pgm/old-writer.ts';
import type { PgmVersion } from '../../../formats/pgm/versions.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { ContainerWriter } from '../../../formats/ssm/writing/container-writer.ts';

/** A RAM range to write in versions 6 to 9, with its pages in runs of one type. */
export type OldRangeToWrite<Run extends PageRun> = Omit<OldRange, 'index' | 'runs'> & { runs: readonly Run[] };

/** Contents of a range's pages; `i` counts within a run. */
export interface OldPages<Run extends PageRun> {
  /** 4096 bytes, borrowed until the next call. `'rom-shadow'` is the RAM that shadows a ROM. */
  contentOf(range: OldRangeToWrite<Run>, run: Run, i: number, part: 'ram' | 'mmio2' | 'rom' | 'rom-shadow'): Uint8Array;
  /** Protection of a ROM page. */
  protectionOf(range: OldRangeToWrite<Run>, run: Run, i: number): number;
}

/** From this protection on, the guest reads the RAM that shadows a ROM. */
const FIRST_READING_RAM = 3;
const ZERO_PAGE = new Uint8Array(PAGE_SIZE);

/** Writes the ranges of a pgm unit of versions 6 to 9, after the basic part. */
export class OldUnitWriter<Run extends PageRun> {
  readonly #out: ContainerWriter;
  readonly #writer: OldPgmWriter;
  readonly #version: PgmVersion;
  readonly #numbering: PageTypeNumbering;
  readonly #pages: OldPages<Run>;

  constructor(
    out: ContainerWriter,
    writer: OldPgmWriter,
    version: PgmVersion,
    numbering: PageTypeNumbering,
    pages: OldPages<Run>,
  ) {
    this.#out = out;
    this.#writer = writer;
    this.#version = version;
    this.#numbering = numbering;
    this.#pages = pages;
  }

  async write(ranges: Iterable<OldRangeToWrite<Run>>): Promise<void> {
    for (const range of ranges) {
      this.#writer.beginRange(range);
      if (this.#version.pages === 'chunks') await this.#writeChunks(range);
      else await this.#writeTyped(range);
    }
    this.#writer.end(this.#numbering === 'original');
    await this.#out.flush();
  }

  async #writeTyped(range: OldRangeToWrite<Run>): Promise<void> {
    for (const run of range.runs) {
      for (let i = 0; i < run.count; i++) {
        this.#writeTypedPage(range, run, i);
        if (this.#out.isFull) await this.#out.flush();
      }
    }
  }

  #writeTypedPage(range: OldRangeToWrite<Run>, run: Run, i: number): void {
    const protection = run.type === OldPageType.ROM_SHADOW ? this.#pages.protectionOf(range, run, i) : 1;
    this.#writer.putType(run.type, protection);
    if (run.type === OldPageType.RAM) {
      const content = this.#pages.contentOf(range, run, i, 'ram');
      // Today's loaders take a page in state zero only if the machine has not allocated all of its RAM up front
      // (pgm-unit.md 5.1).
      const asZero = this.#numbering === 'original' && isZero(content);
      this.#writer.putState(asZero ? undefined : content);
    } else if (run.type === OldPageType.MMIO2) {
      this.#writer.putState(this.#pages.contentOf(range, run, i, 'mmio2'));
    } else if (run.type === OldPageType.ROM) {
      this.#writer.putState(this.#pages.contentOf(range, run, i, 'rom'));
    } else if (run.type === OldPageType.ROM_SHADOW) {
      this.#writeShadowed(range, run, i, protection);
    } else {
      this.#writer.putState(undefined);
    }
  }

  /** Writes a shadowed page of a ROM. The page that the guest reads comes first; today's loaders take only this one. */
  #writeShadowed(range: OldRangeToWrite<Run>, run: Run, i: number, protection: number): void {
    const parts = protection >= FIRST_READING_RAM ? (['rom-shadow', 'rom'] as const) : (['rom', 'rom-shadow'] as const);
    for (const part of parts.slice(0, this.#numbering === 'original' ? 2 : 1))
      this.#writer.putState(this.#pages.contentOf(range, run, i, part));
  }

  async #writeChunks(range: OldRangeToWrite<Run>): Promise<void> {
    const chunked = hasChunks(range);
    for (const _ of this.#writer.putFlags(typesOf(range.runs), chunked)) if (this.#out.isFull) await this.#out.flush();
    if (!range.ownMemory && !chunked) return;
    for (let first = 0; first < range.pages; first += CHUNK_PAGES) {
      const pages = [...pagesOf(range.runs, first, first + CHUNK_PAGES)];
      const present = range.ownMemory || pages.some(([run, i]) => !isZero(this.#seenContent(range, run, i)));
      if (!range.ownMemory) this.#writer.putPresence(present);
      for (const [run, i] of present ? pages : []) {
        this.#writer.putContent(this.#seenContent(range, run, i));
        if (this.#out.isFull) await this.#out.flush();
      }
    }
  }

  /** Bytes that the guest reads at a page; zeros without memory. */
  #seenContent(range: OldRangeToWrite<Run>, run: Run, i: number): Uint8Array {
    if (run.type === OldPageType.RAM) return this.#pages.contentOf(range, run, i, 'ram');
    if (run.type === OldPageType.MMIO2) return this.#pages.contentOf(range, run, i, 'mmio2');
    if (run.type !== OldPageType.ROM) return ZERO_PAGE;
    return this.#pages.contentOf(
      range,
      run,
      i,
      this.#pages.protectionOf(range, run, i) >= FIRST_READING_RAM ? 'rom-shadow' : 'rom',
    );
  }
}

function* typesOf(runs: readonly PageRun[]): Generator<number> {
  for (const { type, count } of runs) for (let i = 0; i < count; i++) yield type;
}

/** Pages `[first, end)` of a range, as run and index within the run. */
function* pagesOf<Run extends PageRun>(runs: readonly Run[], first: number, end: number): Generator<[Run, number]> {
  for (const run of runs) {
    for (let page = Math.max(run.page, first); page < Math.min(run.page + run.count, end); page++)
      yield [run, page - run.page];
  }
}
