import type { Argv } from 'yargs';
import { hex, UsageError } from '../../../formats/errors.ts';
import { KIB } from '../../../formats/sizes.ts';
import { countWithin } from '../../../formats/values/count-within.ts';
import { hexLines } from '../../../src/saved-state/describe/hex-lines.ts';
import { PATTERN_KINDS, type Pattern, patternOf } from '../../../src/saved-state/search/pattern.ts';
import { type Hit, MOST_HITS, type SearchReport, searchMemory } from '../../../src/saved-state/search/search-memory.ts';
import { withSource } from '../../io/input.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { parseRange } from '../../parsing/range.ts';
import { FILE, RANGE } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { withMemoryFlaws } from '../../process/memory-flaws.ts';
import { type Job, type Outcome, runCommand, withCommonOptions } from '../../process/run-command.ts';
import { line, lines, ownLines, type TerminalText } from '../../terminal/terminal-text.ts';

const MOST_CONTEXT = 4 * KIB;

const builder = (argv: Argv) =>
  withRamFile(withCommonOptions(argv))
    .positional('state', FILE)
    .option('text', { type: 'string', requiresArg: true, describe: 'A text, in UTF-8' })
    .option('utf16', {
      type: 'string',
      requiresArg: true,
      describe: 'A text in UTF-16 (little-endian), as Windows has it',
    })
    .option('hex', { type: 'string', requiresArg: true, describe: 'Bytes, as pairs of hexadecimal digits' })
    .option('regex', {
      type: 'string',
      requiresArg: true,
      describe: 'A regular expression of JavaScript; each byte is a character of Latin-1',
    })
    .option('ignore-case', { type: 'boolean', alias: 'i', default: false, describe: 'Letters a to z in both cases' })
    .option('range', RANGE)
    .option('context', {
      type: 'number',
      default: 16,
      requiresArg: true,
      describe: 'Bytes shown before and after each match',
    })
    .option('max', { type: 'number', default: 1000, requiresArg: true, describe: 'Matches shown at most' })
    .example('$0 find machine.sav --text "Linux version "', 'Which kernel runs there?')
    .example('$0 find machine.sav --utf16 password -i --context 64', 'Texts of a Windows guest')
    .example('$0 find machine.sav --hex "55 aa" --range 0x7c00+512', 'Is there a boot sector?')
    .example(`$0 find machine.sav --regex '[a-z0-9.]+@[a-z0-9.]+' --json`, 'Addresses of mail, for a program')
    .epilogue(
      'Memory is searched as the guest sees it, by guest-physical address; a match may cross pages. Exit ' +
        'codes: 0 also where nothing is found, 3 where there may be more than --max.',
    );
type Options = OptionsOf<typeof builder>;

export const findCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('find', [options.state], options, (job) => runFind(job, options));
});

function runFind(job: Job, options: Options): Promise<Outcome> {
  const pattern = patternIn(options);
  const context = countWithin('--context', options.context, 0, MOST_CONTEXT);
  const maxHits = countWithin('--max', options.max, 1, MOST_HITS);
  const range = options.range === undefined ? {} : { range: parseRange(options.range) };
  return withSource(
    job,
    async (source) => {
      const onProgress = (done: number, step: string, total = source.size) => job.progress.update(done, total, step);
      const report = await searchMemory(source, pattern, {
        ...range,
        context,
        maxHits,
        signal: job.signal,
        onProgress,
      });
      const result = {
        found: report.hits.map((hit) => ({ at: hex(hit.at), length: hit.length, ...bytesOf(hit) })),
        complete: report.complete,
        searched: report.searched.map(({ start, end }) => ({ start: hex(start), end: hex(end) })),
      };
      const exitCode = report.complete ? ExitCode.OK : ExitCode.PARTLY;
      return withMemoryFlaws({ exitCode, result, text: reportText(report) }, report, options);
    },
    options,
  );
}

/** The bytes of a match, and those before and after it, in hexadecimal. */
function bytesOf({ at, length, from, bytes }: Hit): { before: string; hex: string; after: string } {
  const digits = (start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString('hex');
  return {
    before: digits(0, at - from),
    hex: digits(at - from, at - from + length),
    after: digits(at - from + length, bytes.length),
  };
}

function patternIn(options: Options): Pattern {
  const given = PATTERN_KINDS.filter((kind) => options[kind] !== undefined);
  const [kind, ...more] = given;
  if (kind === undefined || more.length > 0) {
    const named = PATTERN_KINDS.map((own) => `--${own}`).join(', ');
    throw new UsageError(
      'bad-pattern',
      `Cannot search for ${given.length === 0 ? 'nothing' : 'several things at once'}: give one of ${named}`,
    );
  }
  return patternOf(kind, options[kind] ?? '', options.ignoreCase);
}

function reportText({ hits, complete }: SearchReport): TerminalText {
  if (hits.length === 0) return line`Nothing found`;
  const shown = hits.flatMap(({ at, length, from, bytes }) => [
    line`${hex(at)}, ${length} bytes`,
    ownLines(hexLines(bytes, from)),
  ]);
  return lines(complete ? shown : [...shown, line`There may be more: --max ends the search`]);
}
