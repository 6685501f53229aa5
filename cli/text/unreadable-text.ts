import { hex } from '../../formats/errors.ts';
import type { Stretch } from '../../formats/files/readable-parts.ts';
import { sizeText } from '../terminal/size-text.ts';

/** Maximum number of stretches shown to people; longer lists are for programs. */
const SHOWN_STRETCHES = 20;

/** Parts of the file that the disk fails to read. */
export function unreadableLines(unreadable: readonly Stretch[]): string[] {
  const bytes = unreadable.reduce((sum, { start, end }) => sum + end - start, 0);
  const shown = unreadable
    .slice(0, SHOWN_STRETCHES)
    .map(({ start, end }) => `the disk does not give the bytes from ${hex(start)} to ${hex(end)}`);
  const more = unreadable.length - shown.length;
  return more > 0 ? [...shown, `and ${more} other stretches: ${sizeText(bytes)} in all`] : shown;
}
