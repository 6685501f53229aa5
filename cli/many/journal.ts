import { createHash } from 'node:crypto';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { linesOf } from '../../formats/binary/lines.ts';
import { EnvironmentError, FormatError, UsageError } from '../../formats/errors.ts';
import { httpFacts, isUrl } from '../../formats/files/http-source.ts';
import { MIB } from '../../formats/sizes.ts';
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
      const entry = parsed(path, text);
      if (isFirst) expectSame(path, entry, key);
      else this.#note(entry, onDone);
      isFirst = false;
    }
    if (whole < size) await this.#file.truncate(whole);
  }

  #note(entry: Record<string, unknown>, onDone: (event: FileEvent) => void): void {
    const identity = keyOf(entry as unknown as Identity);
    if (entry.event === 'begin') this.#begun.add(identity);
    if (entry.event !== 'file' || TRIED_AGAIN.includes(entry.exitCode as number) || this.#done.has(identity)) return;
    this.#done.add(identity);
    onDone(entry as unknown as FileEvent);
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

function parsed(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {}
  throw new FormatError('bad-record', `Cannot read the journal ${path}: a line in it is no JSON`);
}

function expectSame(path: string, head: Record<string, unknown>, key: string): void {
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
