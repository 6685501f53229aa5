import { FormatError, type OnDamage, SavkitError, throwDamage, UnsupportedError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { isPgm, PgmReader } from '../../../formats/pgm/pgm-reader.ts';
import { hasRamInLowHole } from '../../../formats/pgm/ranges.ts';
import type { Container, OpenOptions, UnitHeader } from '../../../formats/ssm/container.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import { PayloadReader } from '../../../formats/ssm/payload.ts';
import { Turns } from '../../../formats/turns.ts';
import { noFacts, readFacts } from '../../../formats/units/table.ts';
import { type Finding, findingOf, MAX_FINDINGS } from './findings.ts';
import { PageCensus } from './page-census.ts';
import { PayloadCopy, type PayloadObserver } from './payload-observer.ts';
import type { SavedState, UnitSummary } from './state.ts';

/** Options of a walk through a state. */
export interface WalkOptions extends OpenOptions {
  /** Gets damage after which the walk goes on. Default: damage is thrown, and the walk ends. */
  onDamage?: OnDamage;
  /** Decompress everything, so that every block is checked. Pages are then walked unless a `sink` decodes them. */
  deep?: boolean;
  /** Gets all pages. */
  sink?: PageSink;
  /** End at the first page record, after all that precedes it. */
  untilPages?: boolean;
  /** Takes the decoded payload of units that it wants, piece by piece; a piece is borrowed until the call returns. */
  payload?: { wants(unit: UnitHeader): boolean; take(piece: Uint8Array): void | Promise<void> };
  /** With `deep`: sees the payloads of units beside their reading. */
  observer?: PayloadObserver;
  /** Called with each unit before it is read. */
  onUnit?: (unit: UnitHeader) => void;
  /**
   * With `onDamage`: report blocks that can't be decompressed, and read them as bytes of this value, so that the data
   * after them stays readable.
   */
  patchWith?: number;
  /** In live saves, read passes even where the lists of ROMs and device memory are lost. */
  listsMayBeLost?: boolean;
  /** Interpret no unit: payloads are only passed on, or checked. */
  opaque?: boolean;
  /** Called from time to time with the file offset reached. */
  onProgress?: (offset: number) => void;
  /**
   * Stops the work between two reads; a read of a caller's own source has to end by itself. Then InterruptedError is
   * thrown.
   */
  signal?: AbortSignal;
}

/** Maximum number of units of a file; even long live saves have fewer. */
const MAX_UNITS = 131072;

/** Stands for each finding that is not kept, to be counted. */
const MANY_MORE: Finding = { severity: 'error', code: 'more', message: 'One of very many findings', place: {} };

/**
 * Reads a saved state from front to back, all passes. @throws SavkitError; with `onDamage` only for damage that ends
 * all reading
 */
export async function walkState(source: ByteSource, options: WalkOptions = {}): Promise<SavedState> {
  let walk: Walk | undefined;
  const container = await openContainer(
    source,
    (error) => (walk ? walk.report(error) : (options.onDamage ?? throwDamage)(error)),
    options,
  );
  try {
    walk = new Walk(container, options);
    return await walk.run();
  } catch (error) {
    throw error instanceof SavkitError ? error.in(source.name) : error;
  } finally {
    container.release();
  }
}

class Walk {
  readonly #container: Container;
  readonly #options: WalkOptions;
  readonly #pgm: PgmReader;
  readonly #census: PageCensus;
  readonly #state: SavedState;
  readonly #turns: Turns;
  /** The unit that is being read, to which findings belong. */
  #unit: UnitSummary | undefined;
  /** Findings in the header of a unit, which is not known yet. */
  #headerFindings: Finding[] = [];
  #reported = 0;
  #isOver = false;

  constructor(container: Container, options: WalkOptions) {
    this.#container = container;
    this.#options = options;
    this.#turns = Turns.rare(options.signal);
    const { patchWith } = options;
    if (patchWith !== undefined)
      container.segments.window.patch = { fill: patchWith, onBadBlock: (error) => this.report(error) };
    this.#pgm = new PgmReader(container, options.listsMayBeLost);
    this.#census = new PageCensus(hasRamInLowHole(container.header.release));
    this.#state = { ...noFacts(), header: container.header, size: 0, units: [] };
  }

  async run(): Promise<SavedState> {
    while (!this.#isOver && (await this.#step())) await this.#tick();
    const state = this.#state;
    state.size = this.#container.offset;
    if (this.#container.directory) state.directory = this.#container.directory;
    return state;
  }

  /** Reads one unit; false at the end. */
  async #step(): Promise<boolean> {
    let unit: UnitHeader | undefined;
    this.#unit = undefined;
    this.#headerFindings = [];
    try {
      unit = await this.#container.nextUnit();
    } catch (error) {
      this.report(error);
      return this.#container.resync();
    }
    if (!unit) return false;
    if (this.#state.units.length >= MAX_UNITS)
      throw new UnsupportedError('too-many-units', `Cannot read file: it has more than ${MAX_UNITS} units`);
    const summary: UnitSummary = { ...unit, size: 0, payloadSize: 0, findings: this.#headerFindings };
    this.#unit = summary;
    this.#state.units.push(summary);
    this.#options.onUnit?.(unit);
    let inStep = true;
    try {
      await this.#readUnit(unit);
    } catch (error) {
      inStep = await this.#passDamaged(error);
    }
    summary.size = this.#container.unitSize;
    summary.payloadSize = this.#container.segments.payloadSize;
    return inStep || this.#container.resync();
  }

  /** Reports damage and skips the rest of the unit. @returns false if the container itself cannot go on */
  async #passDamaged(error: unknown): Promise<boolean> {
    this.report(error);
    try {
      while (await this.#container.nextSegments()) await this.#tick();
      return true;
    } catch (next) {
      // Skipping meets the same broken record or block again.
      if ((next as Error).message !== (error as Error).message) this.report(next);
      return false;
    }
  }

  /** Records damage. @throws other errors, and damage where the caller has no `onDamage` */
  report(error: unknown): void {
    const judged = error instanceof FormatError || error instanceof UnsupportedError;
    if (!judged || !this.#options.onDamage) throw error;
    const unit = this.#unit;
    if (unit) error.at({ unit: unit.name, instance: unit.instance, version: unit.version, pass: unit.pass });
    (unit?.findings ?? this.#headerFindings).push(this.#reported++ < MAX_FINDINGS ? findingOf(error) : MANY_MORE);
    this.#options.onDamage(error as FormatError);
  }

  async #readUnit(unit: UnitHeader): Promise<void> {
    if (this.#options.payload?.wants(unit)) return this.#passOn(this.#options.payload);
    const { opaque, deep, observer } = this.#options;
    if (isPgm(unit) && !opaque) return this.#readPgm(unit);
    const copy = deep && observer?.wants(unit) ? new PayloadCopy() : undefined;
    const payload = new PayloadReader(this.#container, copy?.add);
    if (!opaque) await readFacts(unit, payload, this.#state);
    if (deep) await payload.drain();
    else while (await this.#container.nextSegments()) await this.#tick();
    if (copy) observer?.take(unit, copy.whole());
  }

  async #readPgm(unit: UnitHeader): Promise<void> {
    const pgm = this.#pgm;
    const { deep, sink } = this.#options;
    const records = this.#census.beginPass();
    const pass = { pass: unit.pass, records, size: 0 };
    pgm.ramSizeHint = this.#state.mm?.ramSize;
    try {
      await pgm.begin(unit);
      this.#summarize(unit).passes.push(pass);
      this.#isOver = this.#options.untilPages === true;
      while (!this.#isOver && (await pgm.nextPages())) {
        this.#census.add(pgm.batch);
        if (sink) await sink.take(pgm.batch);
        else if (deep) pgm.batch.walk();
        await this.#tick();
      }
    } finally {
      this.#summarize(unit);
      pass.size = this.#container.unitSize;
    }
  }

  #summarize(unit: UnitHeader): NonNullable<SavedState['pgm']> {
    const { basic, config, oldRanges, pageTypes, ramSize } = this.#pgm;
    const { romProtection, shadowPages, lowHoleRam, ramFrames } = this.#census;
    const passes = this.#state.pgm?.passes ?? [];
    const ram = { lowHoleRam, ramPages: ramFrames.size };
    this.#state.pgm = { version: unit.version, oldRanges, pageTypes, passes, romProtection, shadowPages, ...ram };
    if (basic) this.#state.pgm.basic = basic;
    if (config) this.#state.pgm.config = config;
    if (ramSize !== undefined) this.#state.pgm.ramSize = ramSize;
    return this.#state.pgm;
  }

  async #passOn(payload: NonNullable<WalkOptions['payload']>): Promise<void> {
    const reader = new PayloadReader(this.#container);
    for (let piece = await reader.piece(); piece; piece = await reader.piece()) await payload.take(piece);
  }

  async #tick(): Promise<void> {
    this.#options.onProgress?.(this.#container.offset);
    if (this.#turns.areDue) await this.#turns.give();
  }
}
