import { FormatError, hex, InterruptedError, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSink, SeekableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import type { PgmConfig } from '../../../formats/pgm/head.ts';
import { hasContent, isMmio2, isRam, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { isPgm, PgmReader } from '../../../formats/pgm/pgm-reader.ts';
import { type Anew, PgmPassWriter } from '../../../formats/pgm/pgm-writer.ts';
import { hasRamInLowHole, isInLowHole } from '../../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { Container, UnitHeader } from '../../../formats/ssm/container.ts';
import type { ContainerWriter } from '../../../formats/ssm/container-writer.ts';
import { createContainer } from '../../../formats/ssm/create-container.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import { Turns } from '../../../formats/turns.ts';
import type { PagePlace } from '../layout/range-map.ts';
import { type OldTarget, writeOldPgm } from '../old/write-old.ts';
import { isOfLiveSave } from '../reading/live-parts.ts';
import type { PgmSummary, SavedState } from '../reading/state.ts';
import { copyPayload } from './copy-payload.ts';
import type { LastPasses } from './last-pass.ts';
import type { ConvertPlan } from './plan.ts';

export interface WriteOptions {
  plan: ConvertPlan;
  /** Lists of ROMs and MMIO2 of the target, where the plan does not keep the pgm unit. */
  config?: PgmConfig;
  /** Where the ROM and MMIO2 pages of an old source belong in these lists. */
  placeOf?: PagePlace;
  /** Where the target is one of versions 6 to 9. */
  old?: OldTarget;
  /** Of a live save that is flattened. */
  lastPasses?: LastPasses;
  /** Threads that encode. The result does not depend on it. */
  threads: number;
  onProgress?: (offset: number) => void;
  signal?: AbortSignal;
}

/** Reads a state, strictly, and writes it as planned. @returns when the container is complete in the sink */
export async function writeState(
  source: ByteSource,
  state: SavedState,
  sink: ByteSink | SeekableSink,
  options: WriteOptions,
): Promise<void> {
  await new StateWriter(source, state, sink, options).run();
}

class StateWriter {
  readonly #source: ByteSource;
  readonly #state: SavedState;
  readonly #options: WriteOptions;
  readonly #turns: Turns;
  readonly #out: ContainerWriter;
  readonly #page = new Uint8Array(PAGE_SIZE);

  constructor(source: ByteSource, state: SavedState, sink: ByteSink | SeekableSink, options: WriteOptions) {
    this.#source = source;
    this.#state = state;
    this.#options = options;
    this.#turns = Turns.rare(options.signal);
    const { plan } = options;
    const { header } = state;
    this.#out = createContainer(
      sink,
      plan.container,
      { ...header, live: plan.live, registeredUnits: header.registeredUnits ?? state.units.length },
      plan.compression,
    );
  }

  async run(): Promise<void> {
    const container = await openContainer(this.#source);
    try {
      await this.#writeUnits(container);
    } finally {
      container.release();
    }
    await this.#out.finish();
  }

  async #writeUnits(container: Container): Promise<void> {
    const { plan } = this.#options;
    const pgm = this.#newPgmReader(container);
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      if (plan.flatten && isOfLiveSave(unit)) continue;
      if (!plan.live && unit.pass !== 'final') throw passInPlainState(unit);
      this.#out.beginUnit(this.#headerOf(unit));
      if (!isPgm(unit) || plan.keepsPgm)
        await copyPayload(container, this.#out, plan.recompress, () => this.#tick(container.offset));
      else if (this.#options.old) await writeOldPgm(this.#source, this.#state, this.#out, this.#options.old);
      else if (plan.flatten) await this.#writeFlat(container, unit);
      else
        await this.#writePass(
          pgm,
          unit,
          this.#state.pgm?.passes.findIndex(({ pass }) => pass === unit.pass) ?? 0,
          this.#passWriter(unit.pass),
        );
      this.#out.endUnit();
      await this.#breathe(container);
    }
  }

  #headerOf(unit: UnitHeader): UnitHeader {
    const { plan } = this.#options;
    return isPgm(unit) && !plan.keepsPgm ? { ...unit, version: plan.version?.version ?? unit.version } : unit;
  }

  #newPgmReader(container: Container): PgmReader {
    const pgm = new PgmReader(container);
    pgm.ramSizeHint = this.#state.mm?.ramSize;
    return pgm;
  }

  /** One plain pgm unit of all passes: read from the start of the source once more, taking of each page what counts. */
  async #writeFlat(outer: Container, final: UnitHeader): Promise<void> {
    const writer = this.#passWriter('final');
    const container = await openContainer(this.#source, undefined, { skipCrc: true });
    try {
      const pgm = this.#newPgmReader(container);
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
    await this.#breathe(outer);
  }

  /** Protections of ROM pages that no other record names. */
  #putProtections(writer: PgmPassWriter): void {
    for (const [id, pages] of this.#state.pgm?.romProtection ?? []) {
      for (const [page, protection] of pages.entries()) {
        if (protection > 0 && !this.#options.lastPasses?.hasRomContent(id, page))
          writer.putPage(PageKind.ROM_PROTECTION, page, id, protection);
      }
    }
  }

  async #writePass(pgm: PgmReader, unit: UnitHeader, pass: number, writer: PgmPassWriter): Promise<void> {
    const { plan, threads } = this.#options;
    if (threads > 1 && plan.recompress && plan.compression === 'lzf' && plan.container === '2.0')
      await this.#putTogether(pgm, unit, pass, writer);
    else await this.#putPages(pgm, unit, pass, writer);
    writer.end();
  }

  async #putTogether(pgm: PgmReader, unit: UnitHeader, pass: number, writer: PgmPassWriter): Promise<void> {
    const { EncodingQueue } = await import('../threads/encode-together.ts');
    const queue = new EncodingQueue(this.#source, this.#options.threads, (batch, isEncoded) =>
      this.#putBatch(batch, pass, writer, isEncoded ? 'none' : 'all'),
    );
    try {
      await pgm.begin(unit);
      while (await pgm.nextPages()) {
        await queue.put(pgm.batch);
        this.#tick(unit.offset);
      }
      await queue.drain();
    } finally {
      await queue.close();
    }
  }

  async #putPages(pgm: PgmReader, unit: UnitHeader, pass: number, writer: PgmPassWriter): Promise<void> {
    // Who writes V2.0 has tried to compress what stands there raw.
    const anew = this.#options.plan.recompress ? 'all' : this.#state.header.format === '2.0' ? 'none' : 'raw';
    await pgm.begin(unit);
    while (await pgm.nextPages()) {
      await this.#putBatch(pgm.batch, pass, writer, anew);
      this.#tick(unit.offset);
    }
  }

  async #putBatch(batch: PageBatch, pass: number, writer: PgmPassWriter, anew: Anew): Promise<void> {
    for (let i = 0; i < batch.count; i++) {
      this.#putPage(batch, i, pass, writer, anew);
      if (this.#out.isFull) await this.#out.flush();
    }
  }

  #putPage(batch: PageBatch, i: number, pass: number, writer: PgmPassWriter, anew: Anew): void {
    const { plan, lastPasses, placeOf } = this.#options;
    if (lastPasses && !lastPasses.isLast(batch, i, pass)) return;
    let kind = batch.kind[i];
    let page = batch.page[i];
    let id = batch.id[i];
    if (kind === PageKind.RAM_BALLOONED && !plan.version?.balloonRecords) kind = PageKind.RAM_ZERO;
    if (placeOf && isRam(kind) && this.#isLeftOut(batch, i)) return;
    if (placeOf && !isRam(kind)) {
      const place = placeOf(kind, id, page);
      if (!place) return;
      page = place.page;
      id = place.index + 1;
    }
    const protection =
      lastPasses && !isRam(kind) && !isMmio2(kind)
        ? protectionOf(this.#state.pgm, batch.id[i], batch.page[i])
        : batch.protection[i];
    if (hasContent(kind)) writer.put(kind, page, id, protection, batch, i, anew);
    else writer.putPage(kind, page, id, protection);
  }

  /**
   * Versions 6 to 9 have RAM in the low hole; to releases since 6.1, whose states may have been converted to these,
   * there is none.
   * @throws UnsupportedError where it has contents
   */
  #isLeftOut(batch: PageBatch, i: number): boolean {
    const frame = batch.page[i];
    if (!isInLowHole(frame) || hasRamInLowHole(this.#state.header.release)) return false;
    batch.decode(i, this.#page, 0);
    if (isZero(this.#page, 0, PAGE_SIZE)) return true;
    throw new UnsupportedError(
      'does-not-fit',
      `Cannot write page ${hex(frame * PAGE_SIZE)}: it holds data, releases since 6.1 have no RAM there`,
    );
  }

  #passWriter(pass: UnitHeader['pass']): PgmPassWriter {
    const { plan, config } = this.#options;
    const basic = pass === 'final' ? this.#state.pgm?.basic : undefined;
    const hasConfig = pass === 0 || (pass === 'final' && !plan.live);
    if (!plan.version) throw new InterruptedError();
    return new PgmPassWriter(this.#out, plan.version, this.#state.header.widths, basic, hasConfig ? config : undefined);
  }

  async #breathe(container: Container): Promise<void> {
    if (this.#out.isFull) await this.#out.flush();
    this.#tick(container.offset);
    if (this.#turns.areDue) await this.#turns.give();
  }

  #tick(offset: number): void {
    if (this.#options.signal?.aborted) throw new InterruptedError();
    this.#options.onProgress?.(offset);
  }
}

/** Passes come before what is final, and the plan knows of those. */
function passInPlainState({ name, pass, offset }: UnitHeader): FormatError {
  return new FormatError(
    'misplaced-pass',
    `Cannot convert unit ${name} at ${hex(offset)}: pass ${pass} of a live save, in a plain state`,
    {
      offset,
      unit: name,
    },
  );
}

function protectionOf(pgm: PgmSummary | undefined, id: number, page: number): number {
  return pgm?.romProtection.get(id)?.[page] || 1;
}
