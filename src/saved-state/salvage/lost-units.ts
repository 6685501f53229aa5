import type { SavkitError } from '../../../formats/errors.ts';
import type { Stretch } from '../../../formats/files/readable-parts.ts';
import type { UnitHeader } from '../../../formats/ssm/container.ts';
import type { Gap, Survivors } from './survivors.ts';

/** Stretches that hide lost units. The directory tells which gaps hide none, but it lists no units of live passes. */
export function unitsLost({ gaps, directory, units }: Survivors, live: boolean): Stretch[] {
  // A damaged header shows neither the name nor the number of the lost units.
  const readable = units.filter(({ errors, unit }) => !errors.some((error) => isOfHeader(error, unit)));
  const known = new Set(readable.map(({ unit }) => unit.claimedOffset ?? unit.offset));
  // Where bytes are missing or were put in, offsets in the file differ from the directory's.
  const hasMoved = units.some(({ unit }) => unit.claimedOffset !== undefined);
  const isListed = ({ start, end }: Gap) =>
    directory?.some(({ offset }) => !known.has(offset) && (hasMoved || (offset >= start && offset < end))) ?? true;
  return joined(gaps.filter((gap) => live || gap.hides === 'a unit' || isListed(gap)));
}

/** Whether a header's own bytes are wrong; its stream CRC is about the bytes before it. */
function isOfHeader({ code, place }: SavkitError, { offset }: UnitHeader): boolean {
  const isAbout = place.field !== 'offset' && place.field !== 'streamCrc';
  return (code === 'bad-unit' || code === 'bad-crc') && place.offset === offset && isAbout;
}

/** Gaps as stretches, in order; overlapping ones are joined. */
function joined(gaps: readonly Gap[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { start, end } of [...gaps].sort((a, b) => a.start - b.start)) {
    const last = stretches.at(-1);
    if (last && start < last.end) last.end = Math.max(last.end, end);
    else stretches.push({ start, end });
  }
  return stretches;
}
