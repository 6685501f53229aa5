import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { addressName } from '../../formats/files/web/address-name.ts';
import {
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
import { LineLog } from '../io/line-log.ts';
import { factsOfUrl, isUrl } from '../io/web.ts';
import { ExitCode, TRIED_AGAIN } from '../process/exit-codes.ts';
import { version } from '../process/version.ts';
import type { FileEvent } from './file-event.ts';

/** Version of the journal; its first line names it. */
const JOURNAL = 'savkit/journal/1';

/** The facts by which a file is recognised as unchanged. */
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

/** A file that is done. */
const fileShape = record({
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
});
const entryShape = oneKind('event', { begin: record(identity), file: fileShape });
/** The line of a file that is done. */
export const fileEventShape = oneKind('event', { file: fileShape });

type Entry = ShapeValue<typeof entryShape>;

/** Lists the files that a command has finished, one event a line, so that another process can go on after a crash. */
export class Journal {
  readonly #done = new Set<string>();
  readonly #begun = new Set<string>();
  #log!: LineLog;

  private constructor() {}

  /**
   * @param operation command and options for each file; they have to equal those in the journal
   * @param onDone called for each file that an earlier process has finished
   * @throws UsageError `other-journal`, EnvironmentError `EEXIST` without `resume`
   */
  static async open(
    path: string,
    operation: { command: string; options: object },
    resume: boolean,
    onDone: (event: FileEvent) => void,
  ): Promise<Journal> {
    const key = createHash('sha256').update(JSON.stringify(operation)).digest('hex');
    const head = { journal: JOURNAL, tool: `savkit ${version()}`, command: operation.command, key };
    const journal = new Journal();
    journal.#log = await LineLog.open(path, {
      head,
      resume,
      onEntry: (value, refuse) => journal.#note(checkShape(value, entryShape, refuse), onDone),
    });
    return journal;
  }

  /** Whether an earlier process has finished the file, and it has not changed since. */
  has(identity: Identity): boolean {
    return this.#done.has(keyOf(identity));
  }

  /** Whether an earlier process had begun with the file, and was killed: it may have left its output. */
  hadBegun(identity: Identity): boolean {
    return this.#begun.has(keyOf(identity));
  }

  async begin({ file, size, modified }: Identity): Promise<void> {
    await this.#log.append({ event: 'begin', file, size, modified });
  }

  async add(event: FileEvent): Promise<void> {
    await this.#log.append({ ...event });
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  #note(entry: Entry, onDone: (event: FileEvent) => void): void {
    const identity = keyOf(entry);
    if (entry.event === 'begin') return void this.#begun.add(identity);
    if (entry.error?.code !== 'worker-ended') this.#begun.delete(identity);
    // Files that may succeed at another try count as not done.
    if (!TRIED_AGAIN.includes(entry.exitCode) && !this.#done.has(identity)) {
      this.#done.add(identity);
      onDone(entry);
    }
  }
}

/** Size and time of a file; null for each where it cannot be read. */
export async function identityOf(file: string): Promise<Identity> {
  if (isUrl(file)) return { file, ...(await factsOfUrl(file).catch(() => UNKNOWN)) };
  const there = file === '-' ? undefined : await stat(file).catch(() => undefined);
  return {
    file,
    size: there?.isFile() ? there.size : null,
    modified: there?.isFile() ? there.mtime.toISOString() : null,
  };
}

const UNKNOWN = { size: null, modified: null };

/**
 * Key of a file: a short text of its own, since all keys are kept, and a part of a longer text would keep all of that
 * text in memory. Old journals hold whole addresses.
 */
function keyOf({ file, size, modified }: Identity): string {
  const hash = createHash('sha256').update(JSON.stringify([addressName(file), size, modified]));
  return hash.digest().subarray(0, 15).toString('base64');
}
