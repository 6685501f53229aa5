import { linesOf } from '../../formats/binary/lines.ts';
import { type ByteSource, chunksOf } from '../../formats/files/source.ts';
import { addressName } from '../../formats/files/web/address-name.ts';
import { jsonOf } from '../../formats/values/json-text.ts';
import {
  list,
  mapOf,
  number,
  object,
  optional,
  orElse,
  record,
  type ShapeValue,
  such,
  text,
} from '../../formats/values/shape.ts';

// Results of savkit's own commands with `--json`: events, one a line, journals, or one document. Anybody may have
// written the files, so values of unexpected types are left out.

/** Values that are no figures count as 0, values that are no text as empty. */
const figure = orElse(
  such(number, (value) => value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'a figure'),
  0,
);
const words = orElse(text(Number.POSITIVE_INFINITY), '');
const figures = orElse(mapOf(figure), {});
const loose = orElse(object, {});
const fields = <const F extends Parameters<typeof record>[0]>(of: F) => {
  const known = record(of);
  return (value: unknown) => known(loose(value));
};

const roundShape = fields({
  round: figure,
  pages: figure,
  bytes: figure,
  ms: figure,
  dirtied: figure,
  codecs: figures,
  verdict: words,
});
const migrationShape = fields({
  machine: words,
  outcome: words,
  because: words,
  bytes: figure,
  pages: figure,
  totalMs: figure,
  downtimeMs: figure,
  downtime: figures,
  rounds: list(roundShape, Number.POSITIVE_INFINITY),
});

export type ReportedRound = ShapeValue<typeof roundShape>;
/** Result of `migrate`. */
export interface MigrationFigures extends ShapeValue<typeof migrationShape> {
  /** Number of all rounds; `rounds` holds the first `MOST_ROUNDS`. */
  roundCount: number;
}

/** Maximum number of rounds on a page; with more, browsers get slow. */
const MOST_ROUNDS = 1000;

/** A command's result for one file. */
export interface FileFigures {
  file: string;
  command: string;
  outcome: string;
  exitCode: number;
  size: number | undefined;
  release: string | undefined;
  /** The first thing that was wrong. */
  message: string | undefined;
}

export interface EventTakers {
  file(figures: FileFigures): void;
  migration(figures: MigrationFigures): void;
}

type Loose = ShapeValue<typeof object>;

/** Bytes of a line or of a document. Documents are about one file, and small; commands on many files write events. */
const MOST_DOCUMENT = 64 * 1024 * 1024;

/**
 * Reads events, or a document, and hands on each result. Keeps one line in memory, or the whole document. @returns the
 * number of results
 * @throws EnvironmentError, FormatError for a line that is longer than a document can be
 */
export async function readResults(source: ByteSource, takers: EventTakers): Promise<number> {
  let count = 0;
  let document = '';
  const take = (value: Loose) => {
    count += takeResult(value, takers);
  };
  for await (const line of linesOf(chunksOf(source), MOST_DOCUMENT)) {
    const value = document === '' ? parsed(line) : undefined;
    if (value) take(value);
    else if (document.length + line.length < MOST_DOCUMENT) document += line;
  }
  const whole = parsed(document);
  if (whole) take(whole);
  return count;
}

const eventShape = fields({ event: words, command: words, files: orElse(list(loose, Number.POSITIVE_INFINITY), []) });

function takeResult(value: Loose, takers: EventTakers): number {
  const { event, command, files } = eventShape(value);
  if (event === 'file') {
    takers.file(fileOf(value, command));
    return 1;
  }
  for (const file of files) {
    const result = loose(file.result);
    const { rounds } = result;
    if (result.action === 'migrate' && Array.isArray(rounds)) {
      const figures = migrationShape({ ...result, rounds: rounds.slice(0, MOST_ROUNDS) });
      takers.migration({ ...figures, roundCount: rounds.length });
    } else takers.file(fileOf(file, command));
  }
  return files.length;
}

const maybeText = orElse<string | undefined>(text(Number.POSITIVE_INFINITY), undefined);
const maybeNumber = orElse<number | undefined>(number, undefined);
const resultShape = fields({ size: maybeNumber, verdict: words, container: fields({ release: maybeText }) });
const fileShape = fields({
  file: words,
  outcome: words,
  exitCode: figure,
  size: maybeNumber,
  result: resultShape,
  error: orElse(optional(object), undefined),
  findings: orElse(list(loose, Number.POSITIVE_INFINITY), []),
});

function fileOf(value: Loose, command: string): FileFigures {
  const { exitCode, result, ...given } = fileShape(value);
  // An event of an older release may hold a whole address.
  const file = addressName(given.file);
  const outcome = given.outcome || result.verdict || (exitCode === 0 ? 'done' : `exit code ${exitCode}`);
  return {
    file,
    command,
    outcome: outcome.replaceAll('-', ' '),
    exitCode,
    size: given.size ?? result.size,
    release: result.container.release,
    message: maybeText((given.error ?? given.findings[0])?.message),
  };
}

function parsed(line: string): Loose | undefined {
  return line.startsWith('{') ? jsonOf(line, object) : undefined;
}
