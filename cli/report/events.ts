import { linesOf } from '../../formats/binary/lines.ts';
import { type ByteSource, chunksOf } from '../../formats/files/source.ts';

// Results of savkit's own commands, as programs get them: events one a line, journals, or one document. They come from
// files that anybody may have written: whatever is not as expected is left out.

export interface ReportedRound {
  round: number;
  pages: number;
  bytes: number;
  ms: number;
  dirtied: number;
  codecs: Record<string, number>;
  verdict: string;
}

/** What `migrate` has come to. */
export interface MigrationFigures {
  machine: string;
  outcome: string;
  because: string;
  bytes: number;
  pages: number;
  totalMs: number;
  downtimeMs: number;
  downtime: Record<string, number>;
  rounds: ReportedRound[];
}

/** What a command said of one file. */
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

type Loose = Record<string, unknown>;

/** A document for one file is small; of many there are events. */
const MOST_DOCUMENT = 64 * 1024 * 1024;

/**
 * Reads events, or a document, and gives each result; holds one line, of a document all of it. @returns results in it
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

function takeResult(value: Loose, takers: EventTakers): number {
  if (value.event === 'file') {
    takers.file(fileOf(value, textOf(value.command)));
    return 1;
  }
  if (!Array.isArray(value.files)) return 0;
  for (const each of value.files) {
    const { result } = looseOf(each);
    if (looseOf(result).action === 'migrate' && Array.isArray(looseOf(result).rounds))
      takers.migration(migrationOf(looseOf(result)));
    else takers.file(fileOf(looseOf(each), textOf(value.command)));
  }
  return value.files.length;
}

function fileOf(value: Loose, command: string): FileFigures {
  const result = looseOf(value.result);
  const container = looseOf(result.container);
  const first = looseOf(value.error ?? (Array.isArray(value.findings) ? value.findings[0] : undefined));
  const exitCode = numberOf(value.exitCode);
  const outcome = textOf(value.outcome ?? result.verdict) || (exitCode === 0 ? 'done' : `exit code ${exitCode}`);
  const size = value.size ?? result.size;
  return {
    file: textOf(value.file),
    command,
    outcome: outcome.replaceAll('-', ' '),
    exitCode,
    size: typeof size === 'number' ? size : undefined,
    release: typeof container.release === 'string' ? container.release : undefined,
    message: typeof first.message === 'string' ? first.message : undefined,
  };
}

function migrationOf(value: Loose): MigrationFigures {
  return {
    machine: textOf(value.machine),
    outcome: textOf(value.outcome),
    because: textOf(value.because),
    bytes: numberOf(value.bytes),
    pages: numberOf(value.pages),
    totalMs: numberOf(value.totalMs),
    downtimeMs: numberOf(value.downtimeMs),
    downtime: numbersOf(value.downtime),
    rounds: (value.rounds as unknown[]).map((each) => {
      const { round, pages, bytes, ms, dirtied, codecs, verdict } = looseOf(each);
      return {
        round: numberOf(round),
        pages: numberOf(pages),
        bytes: numberOf(bytes),
        ms: numberOf(ms),
        dirtied: numberOf(dirtied),
        codecs: numbersOf(codecs),
        verdict: textOf(verdict),
      };
    }),
  };
}

function parsed(text: string): Loose | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return looseOf(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function looseOf(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {};
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0;
}

function numbersOf(value: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(looseOf(value)).map(([name, each]) => [name, numberOf(each)]));
}
