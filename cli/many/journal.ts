import { createHash } from 'node:crypto';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { linesOf } from '../../formats/binary/lines.ts';
import { EnvironmentError, FormatError, UsageError } from '../../formats/errors.ts';
import { httpFacts, isUrl } from '../../formats/files/http-source.ts';
import { MIB } from '../../formats/sizes.ts';
import {
  anything,
  checkShape,
  count,
  flag,
  kind,
  list,
  object,
  oneKind,
  oneOf,
  optional,
  orNull,
  record,
  type ShapeValue,
  text,
} from '../../formats/values/shape.ts';
import { MAX_FINDINGS } from '../../src/saved-state/reading/findings.ts';
import { httpOptions } from '../io/input.ts';
import { ExitCode } from '../process/exit-codes.ts';
import { version } from '../process/version.ts';
import type { FileEvent } from './file-event.ts';

/** Version of the journal; its first line names it. */
const JOURNAL = 'savkit/journal/1';
/** What every journal begins with. */
const BEGINNING = Buffer.from(JSON.stringify({ journal: JOURNAL }).slice(0, -1));
/** Bytes: results of one file are much smaller. */
const LONGEST_LINE = 64 * MIB;
const NEWLINE = 0x0a;

/** What makes a file the same one as before. */
export interface Identity {
  file: string;
  size: number | null;
  /** ISO 8601. */
  modified: string | null;
}

const words = text(65_536);
const identity = { file: words, size: orNull(count), modified: orNull(words) };
const findingShape = record({
  severity: oneOf('error', 'warning'),
  code: words,
  vboxCode: optional(words),
  qemuSays: optional(words),
  message: words,
  place: object,
  unsupported: optional(kind((value): value is true => value === true, 'true')),
});
const entryShape = oneKind('event', {
  begin: record(identity),
  file: record({
    ...identity,
    command: words,
    time: words,
    isFound: flag,
    outcome: words,
    exitCode: kind(
      (value): value is ExitCode => Object.values(ExitCode).includes(value as ExitCode),
      'an exit code of savkit',
    ),
    findings: list(findingShape, MAX_FINDINGS),
    result: orNull(object),
    error: orNull(findingShape),
  }),
});
type Entry = ShapeValue<typeof entryShape>;

/** Outcomes that another try may change: they count as not done. */
const TRIED_AGAIN: readonly number[] = [ExitCode.ENVIRONMENT, ExitCode.INTERRUPTED, ExitCode.INTERNAL];

/** The files that a command has been through, one event a line, so that another process can go on after a crash. */
export class Journal {
  readonly #file: FileHandle;
  readonly #done = new Set<string>();
  readonly #begun = new Set<string>();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /**
   * @param operation what is done to each file: the same again, or the journal is of something else
   * @param onDone called for each file that an earlier process was through with
   * @throws UsageError `other-journal`, EnvironmentError `EEXIST` without `resume`
   */
  static async open(
    path: string,
    operation: { command: string; options: object },
    resume: boolean,
    onDone: (event: FileEvent) => void,
  ): Promise<Journal> {
    const key = createHash('sha256').update(JSON.stringify(operation)).digest('hex');
    try {
      const file = await open(path, resume ? 'a+' : 'ax+', 0o600);
      const journal = new Journal(file);
      const { size } = await file.stat();
      if (size > 0) await journal.#readBack(path, key, onDone);
      if (size === 0 || (await file.stat()).size === 0)
        await journal.#append({ journal: JOURNAL, tool: `savkit ${version()}`, command: operation.command, key });
      return journal;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new EnvironmentError('EEXIST', `Cannot write ${path}: it is there already; --resume goes on with it`);
      throw error instanceof EnvironmentError || error instanceof UsageError || error instanceof FormatError
        ? error
        : EnvironmentError.from(error, `write ${path}`);
    }
  }

  /** Whether an earlier process was through with the file as it is now. */
  has(identity: Identity): boolean {
    return this.#done.has(keyOf(identity));
  }

  /** Whether an earlier process had begun with the file, and may have left its output. */
  hadBegun(identity: Identity): boolean {
    return this.#begun.has(keyOf(identity));
  }

  async begin({ file, size, modified }: Identity): Promise<void> {
    await this.#append({ event: 'begin', file, size, modified });
  }

  async add(event: FileEvent): Promise<void> {
    await this.#append(event);
  }

  async close(): Promise<void> {
    await this.#file.datasync().catch(() => {});
    await this.#file.close();
  }

  async #append(entry: object): Promise<void> {
    await this.#file.appendFile(`${JSON.stringify(entry)}\n`);
  }

  /** A last line without end is of a process that was killed; it goes. @throws UsageError for what is no journal */
  async #readBack(path: string, key: string, onDone: (event: FileEvent) => void): Promise<void> {
    const beginning = Buffer.alloc(BEGINNING.length);
    const { bytesRead } = await this.#file.read(beginning, 0, beginning.length, 0);
    if (!beginning.subarray(0, bytesRead).equals(BEGINNING.subarray(0, bytesRead))) throw noJournal(path);
    let size = 0;
    let whole = 0;
    const input = this.#file.createReadStream({ start: 0, autoClose: false });
    const measured = async function* () {
      for await (const chunk of input as AsyncIterable<Buffer>) {
        if (chunk.includes(NEWLINE)) whole = size + chunk.lastIndexOf(NEWLINE) + 1;
        size += chunk.length;
        yield chunk;
      }
    };
    let isFirst = true;
    for await (const text of linesOf(measured(), LONGEST_LINE, 'drop')) {
      const refuse = (why: string) =>
        new FormatError('bad-record', `Cannot read the journal ${path}: of a line, ${why}`);
      const value = parsed(text, refuse);
      if (isFirst) expectSame(path, value, key);
      else this.#note(checkShape(value, entryShape, refuse), onDone);
      isFirst = false;
    }
    if (whole < size) await this.#file.truncate(whole);
  }

  #note(entry: Entry, onDone: (event: FileEvent) => void): void {
    const identity = keyOf(entry);
    if (entry.event === 'begin') this.#begun.add(identity);
    else if (!TRIED_AGAIN.includes(entry.exitCode) && !this.#done.has(identity)) {
      this.#done.add(identity);
      onDone(entry);
    }
  }
}

/** How a file is now; of what can't be looked at only the name is known. */
export async function identityOf(file: string): Promise<Identity> {
  if (isUrl(file)) return { file, ...(await httpFacts(file, httpOptions()).catch(() => UNKNOWN)) };
  const there = file === '-' ? undefined : await stat(file).catch(() => undefined);
  return {
    file,
    size: there?.isFile() ? there.size : null,
    modified: there?.isFile() ? there.mtime.toISOString() : null,
  };
}

const UNKNOWN = { size: null, modified: null };

/** Short, since all of them are kept. */
function keyOf({ file, size, modified }: Identity): string {
  return createHash('sha256')
    .update(JSON.stringify([file, size, modified]))
    .digest('base64')
    .slice(0, 20);
}

function parsed(text: string, refuse: (why: string) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse('it is not JSON');
  }
}

/** @param value the first line */
function expectSame(path: string, value: unknown, key: string): void {
  const head = checkShape(value, record({ journal: anything, key: anything }), () => noJournal(path));
  if (head.journal !== JOURNAL) throw noJournal(path);
  if (head.key !== key)
    throw new UsageError(
      'other-journal',
      `Cannot go on with ${path}: it is the journal of another command, or of other options`,
    );
}

function noJournal(path: string): UsageError {
  return new UsageError('other-journal', `Cannot go on with ${path}: it is no journal of savkit`);
}
