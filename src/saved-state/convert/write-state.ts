import { FormatError, hex, InterruptedError } from '../../../formats/errors.ts';
import type { ByteSink, SeekableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import type { Container, UnitHeader } from '../../../formats/ssm/container.ts';
import { openContainer } from '../../../formats/ssm/open.ts';
import type { ContainerWriter } from '../../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../../formats/ssm/writing/create-container.ts';
import { Turns } from '../../../formats/turns.ts';
import { writeOldPgm } from '../old/write-old.ts';
import { isOfLiveSave } from '../reading/live-parts.ts';
import type { SavedState } from '../reading/state.ts';
import { copyPayload } from './copy-payload.ts';
import type { ConvertPlan } from './plan.ts';
import { newPgmReader, PgmRewriter, type PgmStep } from './rewrite-pgm.ts';

export interface WriteOptions {
  plan: ConvertPlan;
  pgm: PgmStep;
  /** Number of encoding threads. The result does not depend on it. */
  threads: number;
  onProgress?: (offset: number) => void;
  signal?: AbortSignal;
}

/** Reads a state strictly, and writes it as planned. Resolves when the container is complete in the sink. */
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
    const { plan, pgm: step } = this.#options;
    const pgm = newPgmReader(container, this.#state);
    const work = {
      ...{ source: this.#source, state: this.#state, out: this.#out, plan, threads: this.#options.threads },
      tick: (offset: number) => this.#tick(offset),
    };
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      if (plan.flatten && isOfLiveSave(unit)) continue;
      if (!plan.live && unit.pass !== 'final') throw passInPlainState(unit);
      this.#out.beginUnit(this.#headerOf(unit));
      if (!isPgm(unit) || step.does === 'keep')
        await copyPayload(container, this.#out, plan.recompress, () => this.#tick(container.offset));
      else if (step.does === 'write-old') await writeOldPgm(this.#source, this.#state, this.#out, step.target);
      else if (plan.flatten) await new PgmRewriter(work, step).writeFlat(unit);
      else {
        const pass = this.#state.pgm?.passes.findIndex((each) => each.pass === unit.pass) ?? 0;
        await new PgmRewriter(work, step).writePass(pgm, unit, pass);
      }
      this.#out.endUnit();
      await this.#breathe(container);
    }
  }

  #headerOf(unit: UnitHeader): UnitHeader {
    const { plan } = this.#options;
    return isPgm(unit) && !plan.keepsPgm ? { ...unit, version: plan.version?.version ?? unit.version } : unit;
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

/** The error for a pass in a plain state. Passes come first, so the plan knows all valid ones. */
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
