import { FormatError, hex, UnsupportedError, UsageError } from '../../../formats/errors.ts';
import { ReadableParts } from '../../../formats/files/readable-parts.ts';
import type { ReadableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { MAX_RAM } from '../../../formats/pgm/ranges.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { chosenFrom } from '../../../formats/values/chosen-from.ts';
import type { Finding } from '../reading/findings.ts';
import { stepOf } from '../reading/step.ts';
import { walkState } from '../reading/walk.ts';
import { type VerifyReport, verify } from '../verify/verify.ts';
import { BELIEVED_CHANCE, CERTAIN_CHANCE, type FlippedBit, findFlippedBits, flipBits } from './flipped-bits.ts';
import { FILLS, type SalvageOptions } from './salvage-options.ts';
import { reportOf, type SalvageReport } from './salvage-report.ts';
import { PATCHES, surveyDamage } from './survey.ts';
import { writeSalvaged } from './write-salvaged.ts';

/**
 * Writes the best state that a damaged file, or a failing disk, allows, and lists exactly the missing parts. Nothing is
 * made up: without `fill`, a state with missing pages carries a unit that keeps VirtualBox from loading it. The report
 * rests on a verification of the written result.
 * @param source seekable
 * @throws FormatError if nothing can be kept, UsageError `not-seekable`, `bad-value`, UnsupportedError
 * `too-much-memory`
 */
export async function salvage(
  source: ByteSource,
  sink: ReadableSink,
  options: SalvageOptions = {},
): Promise<SalvageReport> {
  if (!source.seekable)
    throw new UsageError(
      'not-seekable',
      `Cannot salvage ${source.name}: it has to be read several times, so it must be a file`,
    );
  if (options.fill !== undefined) chosenFrom('fill', options.fill, FILLS);
  const parts = new ReadableParts(source, options.signal);
  const readable = parts.filledWith(PATCHES[0]);
  const { isGood, flipped } = await diagnose(readable, options);
  const repaired = await believable(readable, flipped, options);
  const mend = (broken: ByteSource) => (repaired.length > 0 ? flipBits(broken, repaired) : broken);
  const mended = mend(readable);
  const { unreadable } = parts;
  const other = mend(parts.filledWith(PATCHES[1]));
  const survey = await surveyDamage([mended, other], { ...options, unreadable });
  const report = { ...reportOf(survey, options), repaired, unreadable };
  if (!isGood) report.findings.push(...flipped.filter((bit) => !repaired.includes(bit)).map(hintOf));
  if (report.kept.length === 0)
    throw new FormatError('nothing-left', `Cannot salvage ${source.name}: no unit can be read`);
  if (options.fill && report.lostPages > MAX_RAM / PAGE_SIZE)
    throw new UnsupportedError(
      'too-much-memory',
      `Cannot fill ${report.lostPages} missing pages: machines have ${MAX_RAM / PAGE_SIZE} at most; go without --fill`,
    );
  await writeSalvaged(mended, sink, survey, report, options);
  return judged(report, await verifyWritten(sink, options));
}

async function verifyWritten(sink: ReadableSink, { signal, onProgress }: SalvageOptions): Promise<VerifyReport> {
  const written = await sink.readBack();
  try {
    return await verify(written, {
      ...stepOf({ signal, onProgress }, 'verifying'),
    });
  } finally {
    await written.close();
  }
}

/** Adds the verdict on the written result: kept bytes may still be wrong, from the start or with all CRCs made anew. */
function judged(report: Omit<SalvageReport, 'written'>, { verdict, vboxCode, findings }: VerifyReport): SalvageReport {
  const isWhole = verdict === 'whole';
  return {
    ...report,
    complete: report.complete && isWhole && !findings.some(({ code }) => code === 'incomplete'),
    loadable: report.loadable && isWhole && !findings.some((finding) => finding.vboxCode !== undefined),
    written: { verdict, vboxCode: vboxCode ?? null, findings },
  };
}

/** Finds out whether anything is wrong at all, and which flipped bits explain it. */
async function diagnose(
  source: ByteSource,
  { signal }: SalvageOptions,
): Promise<{ isGood: boolean; flipped: FlippedBit[] }> {
  let isGood = true;
  const state = await walkState(source, {
    signal,
    onDamage: () => {
      isGood = false;
    },
  });
  return { isGood, flipped: isGood ? [] : await findFlippedBits(source, state.header) };
}

/**
 * The bits to flip back. A flip that fits a checksum may be an accident, so likely flips count only if the state is
 * whole with them; otherwise only certain flips count.
 */
async function believable(
  source: ByteSource,
  flipped: readonly FlippedBit[],
  options: SalvageOptions,
): Promise<FlippedBit[]> {
  const likely = flipped.filter(({ chance }) => options.repair || chance <= BELIEVED_CHANCE);
  if (likely.length === 0) return [];
  const { verdict } = await verify(flipBits(source, likely), { signal: options.signal });
  return verdict === 'whole' ? likely : likely.filter(({ chance }) => chance <= CERTAIN_CHANCE);
}

function hintOf({ offset, bit, chance }: FlippedBit): Finding {
  const message =
    `One flipped bit would explain a wrong CRC: bit ${bit} at ${hex(offset)} (by accident some bit fits ` +
    `${Math.round(chance * 100)} times in 100)`;
  return { severity: 'warning', code: 'flipped-bit', message, place: { offset } };
}
