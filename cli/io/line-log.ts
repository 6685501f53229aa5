import { type FileHandle, open } from 'node:fs/promises';
import { linesOf } from '../../formats/binary/lines.ts';
import { EnvironmentError, FormatError, InterruptedError, SavkitError, UsageError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { parseJson } from '../../formats/values/json-text.ts';
import { anything, checkShape, record } from '../../formats/values/shape.ts';
import { holdAlone } from './held-alone.ts';
import { stop } from './stop.ts';

/** Longest line in bytes; an entry is much shorter. */
const LONGEST_LINE = 64 * MIB;
const NEWLINE = 0x0a;

/** An entry of a log, as JSON has it. */
export type LogEntry = Record<string, unknown>;

export interface LineLogOptions {
  /** The first line: kind and subject of the log. */
  head: LogEntry & { journal: string };
  /** Whether to go on with an existing log, which is refused otherwise. */
  resume: boolean;
  /**
   * Called for each entry of an earlier process.
   * @param refuse makes the error for a bad entry, from a reason
   */
  onEntry(entry: unknown, refuse: (why: string) => Error): void;
}

/** A file of JSON, one entry a line, that outlives the process: after a crash another process continues it. */
export class LineLog {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #letGo: () => void;
  /** Entries are written one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle, path: string, letGo: () => void) {
    this.#file = file;
    this.#path = path;
    this.#letGo = letGo;
  }

  /**
   * Opens a log. No other process gets the file until it is closed.
   * @throws UsageError `other-journal` if the file has another first line, EnvironmentError `EEXIST` without `resume`,
   * `EBUSY` if another process works with the file, FormatError `bad-record`
   */
  static async open(path: string, { head, resume, onEntry }: LineLogOptions): Promise<LineLog> {
    const letGo = await holdAlone(path);
    let file: FileHandle | undefined;
    try {
      file = await open(path, resume ? 'a+' : 'ax+', 0o600);
      const log = new LineLog(file, path, letGo);
      if (!(await log.#readBack(path, head, onEntry))) await log.append(head);
      return log;
    } catch (error) {
      await file?.close().catch(() => {});
      letGo();
      if ((error as NodeJS.ErrnoException).code === 'EEXIST')
        throw new EnvironmentError('EEXIST', `Cannot write ${path}: it is there already; --resume goes on with it`);
      throw error instanceof SavkitError ? error : EnvironmentError.from(error, `write ${path}`);
    }
  }

  /** @param isDurable whether to wait until the entry would survive a crash of the host @throws EnvironmentError */
  append(entry: LogEntry, { isDurable = false } = {}): Promise<void> {
    const written = this.#last.then(() => this.#write(`${JSON.stringify(entry)}\n`, isDurable));
    this.#last = written.catch(() => {});
    return written;
  }

  async #write(line: string, isDurable: boolean): Promise<void> {
    const { size } = await this.#file.stat();
    try {
      await this.#file.appendFile(line);
      if (isDurable) await this.#file.datasync();
    } catch (error) {
      // Half a line would spoil the next one.
      await this.#file.truncate(size).catch(() => {});
      throw EnvironmentError.from(error, `write the journal ${this.#path}`);
    }
  }

  /** @throws EnvironmentError where the file system tells only now that lines are lost */
  async close(): Promise<void> {
    await this.#file.datasync().catch(() => {});
    try {
      await this.#file.close();
    } catch (error) {
      throw EnvironmentError.from(error, `write the journal ${this.#path}`);
    } finally {
      this.#letGo();
    }
  }

  /**
   * Reads the log, and removes a last line without newline, which a killed process has left. @returns whether there was
   * a first line
   * @throws UsageError for a file that is no log of this kind, which stays as it is
   */
  async #readBack(path: string, head: LineLogOptions['head'], onEntry: LineLogOptions['onEntry']): Promise<boolean> {
    // Every log of this kind begins so.
    const beginning = Buffer.from(JSON.stringify({ journal: head.journal }).slice(0, -1));
    const found = Buffer.alloc(beginning.length);
    const { bytesRead } = await this.#file.read(found, 0, found.length, 0);
    if (!found.subarray(0, bytesRead).equals(beginning.subarray(0, bytesRead))) throw noJournal(path);
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
    const refuse = (why: string) => new FormatError('bad-record', `Cannot read the journal ${path}: bad line, ${why}`);
    let isFirst = true;
    for await (const text of linesOf(measured(), LONGEST_LINE, 'drop')) {
      // The file is left as it is.
      if (stop.signal.aborted) throw new InterruptedError();
      const value = parseJson(text, refuse);
      if (isFirst) expectSame(path, value, head);
      else onEntry(value, refuse);
      isFirst = false;
    }
    if (whole < size) await this.#file.truncate(whole);
    return whole > 0;
  }
}

/** @param value the first line */
function expectSame(path: string, value: unknown, { journal, key }: LineLogOptions['head']): void {
  const found = checkShape(value, record({ journal: anything, key: anything }), () => noJournal(path));
  if (found.journal !== journal) throw noJournal(path);
  if (found.key !== key)
    throw new UsageError(
      'other-journal',
      `Cannot go on with ${path}: it is the journal of another command, or of other options`,
    );
}

function noJournal(path: string): UsageError {
  return new UsageError('other-journal', `Cannot go on with ${path}: it is no journal of savkit`);
}
