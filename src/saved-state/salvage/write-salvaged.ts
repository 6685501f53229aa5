import type { ByteSink, SeekableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { isPgm } from '../../../formats/pgm/pgm-reader.ts';
import { PgmPassWriter } from '../../../formats/pgm/pgm-writer.ts';
import { hasRamInLowHole, isInLowHole } from '../../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import type { Container, ContainerHeader, UnitHeader } from '../../../formats/ssm/container.ts';
import { isHostBits, isRelease } from '../../../formats/ssm/header-rules.ts';
import type { ContainerWriter, NewContainer } from '../../../formats/ssm/writing/container-writer.ts';
import { createContainer } from '../../../formats/ssm/writing/create-container.ts';
import { Turns } from '../../../formats/turns.ts';
import { copyPayload } from '../convert/copy-payload.ts';
import { INCOMPLETE_UNIT } from '../reading/incomplete-unit.ts';
import { stepOf } from '../reading/step.ts';
import type { LostRun } from './losses.ts';
import { groupOf } from './page-survey.ts';
import type { SalvageOptions } from './salvage-options.ts';
import type { SalvageReport } from './salvage-report.ts';
import type { Survey } from './survey.ts';
import { readSurvivors } from './survivors.ts';
import type { UnitOutcome } from './visitor.ts';

const ZERO_PAGE = new Uint8Array(PAGE_SIZE);
/** Pages of zeros between two looks at the clock. */
const PAGES_A_LOOK = 256;
/** Maximum size, in bytes, of one item of a container. */
const ITEM_LIMIT = 4096;

/** Writes the parts of a state that the survey has found. */
export async function writeSalvaged(
  source: ByteSource,
  sink: ByteSink | SeekableSink,
  survey: Survey,
  report: Omit<SalvageReport, 'written'>,
  options: SalvageOptions,
): Promise<void> {
  const { state } = survey;
  const registeredUnits = state.header.registeredUnits ?? report.kept.length;
  const out = createContainer(sink, state.header.format, { ...soundHeader(state.header), registeredUnits });
  const writer = new SurvivorWriter(out, survey, options);
  await readSurvivors(source, writer, {
    anchors: survey.anchors,
    patchWith: 0,
    ...stepOf(options, 'writing'),
  });
  if (!report.loadable) await putLosses(out, report);
  await out.finish();
}

/**
 * The header without damaged fields about release and host, which no loader would accept: the writer then uses
 * defaults.
 */
function soundHeader({ release, hostBits, ...header }: ContainerHeader): NewContainer {
  return {
    ...header,
    release: release && isRelease(release) ? release : undefined,
    hostBits: hostBits !== undefined && isHostBits(hostBits) ? hostBits : undefined,
  };
}

async function putLosses(
  out: ContainerWriter,
  { dropped, cut, lost, unproven }: Omit<SalvageReport, 'written'>,
): Promise<void> {
  out.beginUnit({ ...INCOMPLETE_UNIT, pass: 'final' });
  const bytes = Buffer.from(JSON.stringify({ dropped, cut, unproven, lost }));
  for (let at = 0; at < bytes.length; at += ITEM_LIMIT) {
    out.put(bytes.subarray(at, at + ITEM_LIMIT));
    if (out.isFull) await out.flush();
  }
  out.endUnit();
}

/** Makes units for the result out of readable ones. */
class SurvivorWriter {
  readonly #out: ContainerWriter;
  readonly #survey: Survey;
  readonly #options: SalvageOptions;
  /** This pass and all after it can be copied as they are. */
  readonly #wholeFrom: number;
  readonly #keepsPass0: boolean;
  readonly #page = new Uint8Array(PAGE_SIZE);
  #writer: PgmPassWriter | undefined;

  constructor(out: ContainerWriter, survey: Survey, options: SalvageOptions) {
    this.#out = out;
    this.#survey = survey;
    this.#options = options;
    const { passes, survivors, dropped } = survey;
    this.#wholeFrom = passes.findLastIndex(({ isWhole }) => !isWhole) + 1;
    this.#keepsPass0 = survivors.units.some(({ unit }) => isPgm(unit) && unit.pass === 0 && !dropped.has(unit.offset));
  }

  readonly payload = async (unit: UnitHeader, container: Container): Promise<void> => {
    if (this.#survey.dropped.has(unit.offset)) return;
    await this.#copy(unit, container);
  };

  /** @returns whether the unit is finished: copied, or left out */
  readonly beginPgm = async (unit: UnitHeader, pass: number, container: Container): Promise<boolean> => {
    const { dropped, target } = this.#survey;
    this.#writer = undefined;
    if (dropped.has(unit.offset)) return true;
    // Later passes can only be read after the earlier ones.
    if (pass >= this.#wholeFrom) {
      await this.#copy(unit, container);
      return true;
    }
    const { version, config, basic } = target;
    this.#out.beginUnit({ ...unit, version: version.version });
    const isFinal = unit.pass === 'final';
    const hasConfig = unit.pass === 0 || (isFinal && !this.#keepsPass0);
    this.#writer = new PgmPassWriter(
      this.#out,
      version,
      this.#survey.state.header.widths,
      isFinal ? basic : undefined,
      hasConfig ? config : undefined,
    );
    return false;
  };

  readonly pages = async (batch: PageBatch, pass: number): Promise<void> => {
    if (batch.floating || !this.#writer) return;
    const { passes, target } = this.#survey;
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      const isCertain = passes[pass].certain.get(groupOf(kind, batch.id[i]))?.has(batch.page[i]) ?? false;
      const place = target.placeOf(kind, batch.id[i], batch.page[i]);
      // An earlier record of a certain page may be damaged.
      if (!isCertain || !place || !batch.canDecode(i)) continue;
      if (this.#isZeroInLowHole(batch, i)) this.#writer.putPage(PageKind.RAM_ZERO, place.page, place.id, 0);
      else if (HAS_CONTENT.includes(kind)) this.#writer.put(kind, place.page, place.id, batch.protection[i], batch, i);
      else this.#writer.putPage(kind, place.page, place.id, batch.protection[i]);
      if (this.#out.isFull) await this.#out.flush();
    }
  };

  readonly endPgm = async ({ unit }: UnitOutcome): Promise<void> => {
    if (!this.#writer) return;
    if (unit.pass === 'final') await this.#fill(this.#writer);
    this.#writer.end();
    this.#out.endUnit();
    this.#writer = undefined;
  };

  /**
   * Whether a page in the low hole is stored as content but zero. Versions 6 to 9 may have such pages, but releases
   * since 6.1, which have no RAM there, accept only zero records.
   */
  #isZeroInLowHole(batch: PageBatch, i: number): boolean {
    if (
      batch.kind[i] !== PageKind.RAM_RAW ||
      !isInLowHole(batch.page[i]) ||
      hasRamInLowHole(this.#survey.state.header.release)
    )
      return false;
    batch.decode(i, this.#page, 0);
    return isZero(this.#page, 0, PAGE_SIZE);
  }

  async #copy(unit: UnitHeader, container: Container): Promise<void> {
    this.#out.beginUnit(unit);
    await copyPayload(container, this.#out, false, () => {});
    this.#out.endUnit();
    if (this.#out.isFull) await this.#out.flush();
  }

  /** Writes zeros for missing pages, if the caller wants them. */
  async #fill(writer: PgmPassWriter): Promise<void> {
    const { fill, signal } = this.#options;
    if (!fill) return;
    const turns = Turns.rare(signal);
    for (const run of this.#survey.lost) {
      if (run.what === 'stale' && fill === 'older') continue;
      for (let page = run.first; page <= run.last; page++) {
        this.#putZero(writer, run.group, page);
        if (this.#out.isFull) await this.#out.flush();
        if (page % PAGES_A_LOOK === 0 && turns.areDue) await turns.give();
      }
    }
  }

  #putZero(writer: PgmPassWriter, group: LostRun['group'], page: number): void {
    const kind = ZERO_KINDS[group.split(' ')[0]];
    const id = Number(group.split(' ')[1] ?? 0);
    const place = this.#survey.target.placeOf(kind, id, page);
    if (place)
      writer.putPage(
        kind,
        place.page,
        place.id,
        this.#protectionOf(id, page),
        kind === PageKind.ROM_VIRGIN ? ZERO_PAGE : undefined,
      );
  }

  /** Protection of a lost ROM page, taken from its neighbours, since all pages of a ROM have the same. */
  #protectionOf(id: number, page: number): number {
    const known = this.#survey.state.pgm?.romProtection.get(id);
    return known?.[page] || known?.find((protection) => protection > 0) || 1;
  }
}

const HAS_CONTENT: readonly number[] = [
  PageKind.RAM_RAW,
  PageKind.MMIO2_RAW,
  PageKind.ROM_VIRGIN,
  PageKind.ROM_SHADOW_RAW,
];
const ZERO_KINDS: Record<string, number> = {
  RAM: PageKind.RAM_ZERO,
  MMIO2: PageKind.MMIO2_ZERO,
  ROM: PageKind.ROM_VIRGIN,
  shadow: PageKind.ROM_SHADOW_ZERO,
  unknown: PageKind.RAM_ZERO,
};
