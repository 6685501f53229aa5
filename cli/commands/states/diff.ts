import type { Argv } from 'yargs';
import { hex, type SavkitError, UsageError } from '../../../formats/errors.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import {
  diffStates,
  type PageDifference,
  type RangeDifference,
  type StateDiff,
} from '../../../src/saved-state/compare/diff.ts';
import { readPages, type WantedPages } from '../../../src/saved-state/compare/page-contents.ts';
import { openSide } from '../../../src/saved-state/compare/side.ts';
import { hexDifference } from '../../../src/saved-state/describe/hex-lines.ts';
import { withSource } from '../../io/input.ts';
import { noteAboutOther } from '../../io/other-files.ts';
import { fileCommand } from '../../many/command-of.ts';
import type { FileOptionsOf } from '../../many/file-command.ts';
import { withManyFiles } from '../../many/options.ts';
import { filesOf } from '../../parsing/shared-options.ts';
import { surplusError } from '../../parsing/surplus.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { type Job, type Outcome, withCommonOptions } from '../../process/run-command.ts';
import { good, heading } from '../../terminal/styles.ts';
import { table } from '../../terminal/table.ts';
import { indent, line, lines, NO_TEXT, ownLines, type TerminalText } from '../../terminal/terminal-text.ts';

const builder = (argv: Argv) =>
  withManyFiles(withCommonOptions(argv))
    .positional('files', filesOf('Two saved states, one of them may be - for stdin; with --base any number of them'))
    .option('base', {
      type: 'string',
      requiresArg: true,
      describe: 'Compare each of the files with this one',
    })
    .option('pages', { type: 'boolean', default: false, describe: 'List every run of changed pages' })
    .option('hex', { type: 'number', requiresArg: true, describe: 'Show the changed bytes of so many pages' })
    .example('$0 diff before.sav after.sav', 'What has changed between two saves?')
    .example('$0 diff old.sav converted.sav', 'Did a conversion keep everything?')
    .example('$0 diff before.sav after.sav --hex 4', 'Bytes of the first four changed pages')
    .example('$0 diff --base before.sav a.sav b.sav', 'Which of these states differ from before.sav?')
    .epilogue('Exit codes: 0 both hold the same, 1 they differ or one is bad.');
type Options = FileOptionsOf<typeof builder>;

export const diffCommand = fileCommand({
  name: 'diff',
  usage: '<a> <b>',
  builder,
  settle: takeBase,
  perFile: (job, options) => withSource({ file: options.base ?? '' }, (base) => runDiff(base, job, options)),
});

const USAGE = 'savkit diff <a> <b>';

/** Takes the first of two files as the base, unless `--base` names one. @throws UsageError */
function takeBase(options: Options): void {
  if (options.base !== undefined) return;
  const { files, filesFrom } = options;
  if (files.length < 2 || filesFrom !== undefined) throw new UsageError('missing-argument', `expected ${USAGE}`);
  if (files.length > 2) throw surplusError(files.slice(2), USAGE);
  [options.base, ...options.files] = files;
}

async function runDiff(
  a: Parameters<typeof diffStates>[0],
  { file, signal, progress }: Job,
  options: Options,
): Promise<Outcome> {
  return withSource({ file }, async (b) => {
    const diff = await diffStates(a, b, {
      signal,
      onProgress: (which, offset) => progress.update(offset, which === 'a' ? a.size : b.size, which),
    }).catch((error: SavkitError) => {
      throw error.source === a.name && a.name !== b.name ? noteAboutOther(error) : error;
    });
    const shown = options.hex ? await changedBytes(a, b, diff, options.hex) : [];
    const text = options.quiet ? NO_TEXT : lines([diffText(diff, file, options), ...shown]);
    const exitCode = diff.equal ? ExitCode.OK : ExitCode.BAD_FILE;
    return { exitCode, result: diff, text, word: diff.equal ? 'equal' : 'different' };
  });
}

function diffText(diff: StateDiff, file: string, { base = '', pages }: Options): TerminalText {
  const { units, fields, memory, notes } = diff;
  const parts = [line`${base} → ${file}: ${diff.equal ? good('equal') : 'different'}`];
  const unitRows = (['added', 'gone', 'changed'] as const).flatMap((what) => units[what].map((unit) => [what, unit]));
  if (unitRows.length > 0) parts.push(heading('Units'), table(['', 'unit'], unitRows));
  if (fields.length > 0) {
    parts.push(
      heading('Fields'),
      table(
        ['field', 'was', 'is'],
        fields.map((field) => [field.field, field.a, field.b]),
      ),
    );
  }
  if (memory.length > 0) {
    parts.push(
      heading('Memory, pages'),
      table(['range', 'changed', 'filled', 'cleared', 'first'], memory.map(rangeRow)),
    );
    if (pages)
      for (const { range, runs } of memory)
        parts.push(heading(range), table(['from', 'to', 'pages', ''], runs.map(runRow)));
  }
  return lines([...parts, ...notes.map((note) => indent(line`note: ${note}`))]);
}

function rangeRow({ range, changed, filled, cleared, runs, onlyIn }: RangeDifference): (string | number)[] {
  return [onlyIn ? `${range} (only in ${onlyIn})` : range, changed, filled, cleared, placeText(runs[0], runs[0].from)];
}

function runRow(run: PageDifference): (string | number)[] {
  return [placeText(run, run.from), placeText(run, run.to), run.end - run.start, run.change];
}

function placeText({ mapped }: PageDifference, place: number): string {
  return mapped ? hex(place) : `+${hex(place)}`;
}

/** The lines of bytes that differ, in the first `limit` changed pages. */
async function changedBytes(
  a: Parameters<typeof openSide>[0],
  b: Parameters<typeof openSide>[0],
  { memory }: StateDiff,
  limit: number,
): Promise<TerminalText[]> {
  const places = memory
    .flatMap(({ range, runs }) => firstPages(runs, limit).map((place) => ({ range, ...place })))
    .slice(0, limit);
  const wanted: WantedPages = new Map();
  for (const { range, page } of places) wanted.set(range, (wanted.get(range) ?? new Set()).add(page));
  const own = await readPages(await openSide(a), wanted);
  const other = await readPages(await openSide(b), wanted);
  const page = (contents: typeof own, { range, page }: { range: string; page: number }) =>
    contents.get(range)?.get(page) ?? new Uint8Array(PAGE_SIZE);
  return places.map((place) =>
    lines([heading(place.range), ownLines(hexDifference(page(own, place), page(other, place), place.address))]),
  );
}

function firstPages(runs: readonly PageDifference[], limit: number): { page: number; address: number }[] {
  const pages: { page: number; address: number }[] = [];
  for (const { start, end, from } of runs) {
    for (let page = start; page < end && pages.length < limit; page++)
      pages.push({ page, address: from + (page - start) * PAGE_SIZE });
  }
  return pages;
}
