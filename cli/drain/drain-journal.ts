import { checkShape, hexText, oneOf, optional, record, type ShapeValue, text } from '../../formats/values/shape.ts';
import { systemDate } from '../../formats/world/waiting.ts';
import { LineLog, type LogEntry } from '../io/line-log.ts';
import { version } from '../process/version.ts';

/** Version of the journal; its first line names it. */
const JOURNAL = 'savkit/drain-journal/1';

const words = text(65_536);
const entryShape = record({
  event: oneOf('begin', 'end'),
  machine: words,
  name: words,
  migration: hexText(16),
  to: words,
  outcome: optional(oneOf('moved', 'stayed', 'unknown')),
  because: optional(words),
});

/** Entry for a migration that was begun. */
export interface Begun {
  machine: string;
  name: string;
  migration: string;
  to: string;
}

/** Entry for the end of a migration. */
export interface Ended {
  outcome: 'moved' | 'stayed' | 'unknown';
  because: string;
  code?: string | undefined;
  downtimeMs?: number | undefined;
}

/**
 * Journal of a drain. Each step is on disk before it begins: after a crash another process finds the result of the
 * step in the records of the migration.
 */
export class DrainJournal {
  /** By machine, the last migration that earlier processes have begun, with its end if it is known. */
  readonly before = new Map<string, Begun & Partial<Ended>>();
  #log: LineLog | undefined;

  private constructor() {}

  /** @param path undefined: no journal is kept @throws UsageError, EnvironmentError, FormatError */
  static async open(path: string | undefined, resume: boolean): Promise<DrainJournal> {
    const journal = new DrainJournal();
    const head = { journal: JOURNAL, tool: `savkit ${version()}` };
    if (path !== undefined)
      journal.#log = await LineLog.open(path, {
        head,
        resume,
        onEntry: (value, refuse) => journal.#note(checkShape(value, entryShape, refuse)),
      });
    return journal;
  }

  /** Resolves when the entry is safely on disk. */
  async begin(begun: Begun): Promise<void> {
    await this.#append({ event: 'begin', ...begun });
  }

  async end(begun: Begun, ended: Ended): Promise<void> {
    await this.#append({ event: 'end', ...begun, ...ended });
  }

  async close(): Promise<void> {
    await this.#log?.close();
  }

  async #append(entry: LogEntry): Promise<void> {
    await this.#log?.append({ time: systemDate().toISOString(), ...entry }, { isDurable: true });
  }

  #note({ event, machine, name, migration, to, outcome, because = '' }: ShapeValue<typeof entryShape>): void {
    const begun = { machine, name, migration, to };
    this.before.set(machine, event === 'end' ? { ...begun, outcome, because } : begun);
  }
}
