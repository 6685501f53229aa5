import { hex, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import type { PgmConfig } from '../../../formats/pgm/head.ts';
import { hasContent, isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { isPgm, PgmReader } from '../../../formats/pgm/pgm-reader.ts';
import { PgmPassWriter, type Recompression } from '../../../formats/pgm/pgm-writer.ts';
import { hasRamInLowHole, isInLowHole } from '../../../formats/pgm/ranges.ts';
import type { PgmVersion } from '../../../formats/pgm/versions.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { Container, UnitHeader } from '../../../formats/ssm/container.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import type { ContainerWriter } from '../../../formats/ssm/writing/container-writer.ts';
import type { PlaceOfPage } from '../layout/range-map.ts';
import type { OldTarget } from '../old/write-old.ts';
import type { PgmSummary, SavedState } from '../reading/state.ts';
import type { LastPasses } from './last-pass.ts';
import type { ConvertPlan } from './plan.ts';

/** Plan for a pgm unit of version 10 or later that is written anew, page by page. */
export interface Rewriting {
  does: 'rewrite';
  version: PgmVersion;
  /** Lists of ROMs and MMIO2 of the target. */
  config: PgmConfig;
  /** Maps ROM and MMIO2 pages of an old source to these lists. */
  placeOf: PlaceOfPage | undefined;
  /** For a live save whose passes become one. */
  lastPasses: LastPasses | undefined;
}

/** Way of converting the pgm unit: copied byte for byte, written anew, or written as one of versions 6 to 9. */
export type PgmStep = { does: 'keep' } | Rewriting | { does: 'write-old'; target: OldTarget };

/** Inputs and output of a conversion of pages. */
export interface RewriteWork {
  source: ByteSource;
  state: SavedState;
  out: ContainerWriter;
  plan: ConvertPlan;
  /** Threads that encode. The result does not depend on their number. */
  threads: number;
  /** @param offset reached in the source @throws InterruptedError */
  tick: (offset: number) => void;
}

/** A reader for the pgm units of a state whose other units were read. */
export function newPgmReader(container: Container, { mm }: SavedState): PgmReader {
  const pgm = new PgmReader(container);
  pgm.ramSizeHint = mm?.ramSize;
  return pgm;
}

/** Writes pgm units anew, page by page. */
export class PgmRewriter {
  readonly #work: RewriteWork;
  readonly #step: Rewriting;
  readonly #page = new Uint8Array(PAGE_SIZE);

  constructor(work: RewriteWork, step: Rewriting) {
    this.#work = work;
    this.#step = step;
  }

  /**
   * Writes one plain pgm unit from all passes: reads the source again from its start, and takes the last record of each
   * page.
   */
  async writeFlat(final: UnitHeader): Promise<void> {
    const writer = this.#passWriter('final');
    const container = await openContainer(this.#work.source, undefined, { skipCrc: true });
    try {
      const pgm = newPgmReader(container, this.#work.state);
      let pass = 0;
      for (
        let unit = await container.nextUnit();
        unit && unit.offset <= final.offset;
        unit = await container.nextUnit()
      ) {
        if (isPgm(unit)) await this.#putPages(pgm, unit, pass++, writer);
      }
    } finally {
      container.release();
    }
    this.#putProtections(writer);
    writer.end();
  }

  /** Writes protections of ROM pages that have no other record. */
  #putProtections(writer: PgmPassWriter): void {
    for (const [id, pages] of this.#work.state.pgm?.romProtection ?? []) {
      for (const [page, protection] of pages.entries()) {
        if (protection > 0 && !this.#step.lastPasses?.hasRomContent(id, page))
          writer.putPage(PageKind.ROM_PROTECTION, page, id, protection);
      }
    }
  }

  /** Writes one pass. @param pass its number among the passes of the unit */
  async writePass(pgm: PgmReader, unit: UnitHeader, pass: number): Promise<void> {
    const { plan, threads } = this.#work;
    const writer = this.#passWriter(unit.pass);
    if (threads > 1 && plan.recompress && plan.compression === 'lzf' && plan.container === '2.0')
      await this.#putTogether(pgm, unit, pass, writer);
    else await this.#putPages(pgm, unit, pass, writer);
    writer.end();
  }

  async #putTogether(pgm: PgmReader, unit: UnitHeader, pass: number, writer: PgmPassWriter): Promise<void> {
    const { EncodingQueue } = await import('../threads/encode-together.ts');
    const queue = new EncodingQueue(this.#work.source, this.#work.threads, (batch, isEncoded) =>
      this.#putBatch(batch, pass, writer, isEncoded ? 'none' : 'all'),
    );
    try {
      await pgm.begin(unit);
      while (await pgm.nextPages()) {
        await queue.put(pgm.batch);
        this.#work.tick(unit.offset);
      }
      await queue.drain();
    } finally {
      await queue.close();
    }
  }

  async #putPages(pgm: PgmReader, unit: UnitHeader, pass: number, writer: PgmPassWriter): Promise<void> {
    // In a V2.0 container, raw pages are pages that compression did not make smaller.
    const recompression = this.#work.plan.recompress
      ? 'all'
      : this.#work.state.header.format === '2.0'
        ? 'none'
        : 'raw';
    await pgm.begin(unit);
    while (await pgm.nextPages()) {
      await this.#putBatch(pgm.batch, pass, writer, recompression);
      this.#work.tick(unit.offset);
    }
  }

  async #putBatch(batch: PageBatch, pass: number, writer: PgmPassWriter, recompression: Recompression): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      this.#putPage(batch, i, pass, writer, recompression);
      if (this.#work.out.isFull) await this.#work.out.flush();
    }
  }

  #putPage(batch: PageBatch, i: number, pass: number, writer: PgmPassWriter, recompression: Recompression): void {
    const { version, lastPasses, placeOf } = this.#step;
    if (lastPasses && !lastPasses.isLast(batch, i, pass)) return;
    let kind = batch.kind[i];
    let page = batch.page[i];
    let id = batch.id[i];
    if (kind === PageKind.RAM_BALLOONED && !version.balloonRecords) kind = PageKind.RAM_ZERO;
    if (placeOf && isRam(kind) && this.#isLeftOut(batch, i)) return;
    if (placeOf && !isRam(kind)) {
      const place = placeOf(kind, id, page);
      if (!place) return;
      page = place.page;
      id = place.index + 1;
    }
    const protection =
      lastPasses && !isRam(kind) && !isMmio2(kind)
        ? protectionOf(this.#work.state.pgm, batch.id[i], batch.page[i])
        : batch.protection[i];
    if (hasContent(kind)) writer.put(kind, page, id, protection, batch, i, recompression);
    else writer.putPage(kind, page, id, protection);
  }

  /**
   * Whether a page lies in the low hole of a state by 6.1 or later. These releases have no RAM there, though their
   * units of versions 6 to 9 have records of the pages.
   * @throws UnsupportedError where the page has contents
   */
  #isLeftOut(batch: PageBatch, i: number): boolean {
    const frame = batch.page[i];
    if (!isInLowHole(frame) || hasRamInLowHole(this.#work.state.header.release)) return false;
    batch.decode(i, this.#page, 0);
    if (isZero(this.#page, 0, PAGE_SIZE)) return true;
    throw new UnsupportedError(
      'does-not-fit',
      `Cannot write page ${hex(frame * PAGE_SIZE)}: it holds data, releases since 6.1 have no RAM there`,
    );
  }

  #passWriter(pass: UnitHeader['pass']): PgmPassWriter {
    const { version, config } = this.#step;
    const basic = pass === 'final' ? this.#work.state.pgm?.basic : undefined;
    const hasConfig = pass === 0 || (pass === 'final' && !this.#work.plan.live);
    return new PgmPassWriter(
      this.#work.out,
      version,
      this.#work.state.header.widths,
      basic,
      hasConfig ? config : undefined,
    );
  }
}

function protectionOf(pgm: PgmSummary | undefined, id: number, page: number): number {
  return pgm?.romProtection.get(id)?.[page] || 1;
}
