import { FormatError, UnsupportedError, UsageError } from '../../../formats/errors.ts';
import { FailingDisk } from '../../../formats/files/failing-disk.ts';
import type { Stretch } from '../../../formats/files/readable-parts.ts';
import type { ReadableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { INCOMPLETE_NAME } from '../../../formats/incomplete-name.ts';
import { MAX_RAM } from '../../../formats/pgm/ranges.ts';
import type { RamGap } from '../../../formats/qemu/stream/unreadable-records.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { chosenFrom } from '../../../formats/values/chosen-from.ts';
import { expectedPages } from '../qemu/plugged-memory.ts';
import { type QemuVerdict, verifyQemu } from '../qemu-verify/verify-qemu.ts';
import type { Finding } from '../reading/findings.ts';
import { stepOf } from '../reading/step.ts';
import type { WalkOptions } from '../reading/walk.ts';
import type { LostPages } from './page-sets.ts';
import { type QemuSurvey, surveyQemu } from './survey-qemu.ts';
import { writeSalvagedQemu } from './write-salvaged-qemu.ts';

/** Options of salvaging a state of QEMU. */
export interface QemuSalvageOptions extends Pick<WalkOptions, 'signal'> {
  /** Missing pages become zeros; else they are left out, and QEMU refuses the state. */
  fill?: 'zero';
  /** Called with the offset reached in the file. */
  onProgress?: (doing: 'reading' | 'writing' | 'verifying', offset: number) => void;
}

/** Report of salvaging a state of QEMU. */
export interface QemuSalvageReport {
  family: 'qemu';
  /** Nothing is missing, and no fault of the result can be seen. */
  complete: boolean;
  /** The result holds no section that keeps QEMU from loading it. */
  loadable: boolean;
  /**
   * Sections of devices in the result; `offset`: place in the damaged file, `repaired`: the fault that was put right.
   */
  kept: { name: string; instance: number; version: number; offset: number; repaired?: string }[];
  /** Sections that the description lists, but that cannot be recovered. */
  dropped: { name: string; instance: number }[];
  /** The description is lost, and the stream ends early: unknown sections may be missing. */
  cut: boolean;
  /** Pages that are not in the file, ascending within each block. */
  lost: LostPages[];
  /** Number of these pages. */
  lostPages: number;
  /** Whether there is a description; without one it is not known whether all sections are there. */
  hasDescription: boolean;
  /** The list of blocks ends early: whole blocks of memory are lost with their names. */
  untold: boolean;
  /** Memory was not read to its end: where the machine ran while it was saved, newer copies of pages may be lost. */
  mayBeOld: boolean;
  /** Stretches that the disk cannot read: of the file, in a qcow2 image of the snapshot's stream. */
  unreadable: readonly Stretch[];
  /** Stretches of records of memory among them. */
  gaps: readonly RamGap[];
  /** Findings in the damaged file. */
  findings: Finding[];
  /** Answer of `verify` about the result. */
  written: { verdict: QemuVerdict; findings: Finding[]; qemuSays?: string };
}

/** More runs of pages than this are not listed. */
const MAX_RUNS = 100_000;

/**
 * Writes the best state that can be had of a damaged one, as a plain stream, and lists the missing parts; the result is
 * read back and verified. @param source seekable: it is read several times
 * @throws SavkitError where nothing can be kept
 */
export async function salvageQemu(
  source: ByteSource,
  sink: ReadableSink,
  options: QemuSalvageOptions = {},
): Promise<QemuSalvageReport> {
  if (!source.seekable)
    throw new UsageError(
      'not-seekable',
      `Cannot salvage ${source.name}: it is read several times, so it must be a file`,
    );
  if (options.fill !== undefined) chosenFrom('fill', options.fill, ['zero']);
  const disk = new FailingDisk(options.signal);
  const survey = await surveyQemu(source, { ...stepOf(options, 'reading'), disk });
  const lost = lostPagesOf(survey);
  const lostPages = lost.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (options.fill && lostPages > MAX_RAM / PAGE_SIZE)
    throw new UnsupportedError(
      'too-much-memory',
      `Cannot fill ${lostPages} missing pages: machines have ${MAX_RAM / PAGE_SIZE} at most; go without --fill`,
    );
  const { state, kept, dropped, cut } = survey;
  const untold = state.blocks.reduce((sum, { size }) => sum + size, 0) < state.blockBytes;
  const hasSections = dropped.length === 0 && !cut && !survey.wasIncomplete && kept.some(({ name }) => name === 'cpu');
  const { gaps } = state;
  // Else newer copies of pages may be lost, where the machine ran while it was saved.
  const hasNewest = state.memoryRead && gaps.every(({ isTold }) => isTold);
  const isWhole = hasSections && lostPages === 0 && !untold && hasNewest && survey.description !== undefined;
  const loadable = hasSections && !untold && ((hasNewest && lostPages === 0) || options.fill !== undefined);
  await writeSalvagedQemu(source, sink, survey, {
    ...stepOf(options, 'writing'),
    disk,
    filled: options.fill ? lost : undefined,
    marker: loadable ? undefined : markerOf({ dropped, cut, lost, untold, gaps, mayBeOld: !hasNewest }),
  });
  const written = await sink.readBack();
  try {
    const { verdict, findings, qemuSays } = await verifyQemu(written, stepOf(options, 'verifying'));
    return {
      family: 'qemu',
      complete: isWhole && verdict === 'no-damage-found',
      loadable: loadable && qemuSays === undefined,
      kept: kept.map(({ body: _, id: __, described: ___, ...section }) => section),
      dropped,
      cut,
      lost,
      lostPages,
      hasDescription: survey.description !== undefined,
      untold,
      mayBeOld: !hasNewest,
      unreadable: disk.unreadable,
      gaps,
      findings: survey.findings,
      written: { verdict, findings, qemuSays },
    };
  } finally {
    await written.close();
  }
}

function lostPagesOf({ state, pages }: QemuSurvey): LostPages[] {
  const runs: LostPages[] = [];
  for (const block of state.blocks) {
    // Where memory was not read to its end, a block without pages may be lost as well.
    if ((block.leftOut && state.memoryRead) || block.pages >= expectedPages(block, state)) continue;
    for (const run of pages.lost(block))
      if (runs.push(run) > MAX_RUNS)
        throw new FormatError(
          'pages-missing',
          `Cannot list the missing parts: there are more than ${MAX_RUNS} runs of pages`,
        );
  }
  return runs;
}

/** A section that QEMU does not know, which keeps it from loading an incomplete state. */
function markerOf(missing: Pick<QemuSalvageReport, 'dropped' | 'cut' | 'lost' | 'untold' | 'gaps' | 'mayBeOld'>) {
  return { name: INCOMPLETE_NAME, instance: 0, version: 1, body: Buffer.from(JSON.stringify(missing)) };
}
