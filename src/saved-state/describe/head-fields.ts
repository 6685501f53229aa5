import type { PgmSummary } from '../reading/state.ts';
import { type Fields, flatten, textSummary } from './flatten.ts';

/** Longer texts are of no use to people. */
const MAX_TEXT = 200;

/**
 * All values in the heads of the units of guest memory by name, with the types and protections of pages, which contents
 * of pages do not tell. Lists of ranges are in the order of the file.
 */
export function headFields({ basic, config, ramSize, oldRanges, romProtection }: PgmSummary): Fields {
  const fields: Fields = new Map();
  const { cpus = [], ...rest } = basic ?? {};
  const ranges = oldRanges.map(({ start, pages, ownMemory, description, runs }) => {
    const types = runsText(runs.map(({ type, count }) => `${type}×${count}`));
    return { start, pages, ownMemory, description, types };
  });
  flatten({ cpus }, '', fields);
  flatten({ ...rest, ...config, ramSize, ranges }, 'memory', fields);
  for (const [id, pages] of romProtection) fields.set(`memory.romProtection[${id}]`, runsText(protectionRuns(pages)));
  return fields;
}

/** Runs of equal protections, without the zeros after the last page that a record names. */
function protectionRuns(pages: Uint8Array): string[] {
  const runs: string[] = [];
  const end = pages.findLastIndex((protection) => protection !== 0) + 1;
  for (let first = 0, page = 1; page <= end; page++) {
    if (page < end && pages[page] === pages[first]) continue;
    runs.push(`${pages[first]}×${page - first}`);
    first = page;
  }
  return runs;
}

/** Runs of a value, as in `1×160 6×96`; long lists as their hash. */
function runsText(runs: readonly string[]): string {
  const text = runs.join(' ');
  return text.length <= MAX_TEXT ? text : textSummary(`${runs.length} runs`, text);
}
