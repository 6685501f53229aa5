import { countText } from '../../formats/amounts.ts';
import { ExitCode, gravest } from '../process/exit-codes.ts';
import { NO_STATE } from '../process/run-command.ts';
import { joined, line, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';

/** What came of many files, in numbers. */
export interface Summary {
  files: number;
  /** How many came to what: `whole`, `damaged`, … */
  outcomes: Record<string, number>;
  /** Of these files, those that the journal had already. */
  resumed: number;
}

/** What a command calls an outcome, where it has no word of its own for it. */
const WORDS: Readonly<Record<ExitCode, string>> = {
  [ExitCode.OK]: 'done',
  [ExitCode.BAD_FILE]: 'damaged',
  [ExitCode.USAGE]: 'not possible',
  [ExitCode.PARTLY]: 'partly done',
  [ExitCode.ENVIRONMENT]: 'not read or written',
  [ExitCode.UNSUPPORTED]: 'not supported',
  [ExitCode.INTERNAL]: 'failed in savkit',
  [ExitCode.INTERRUPTED]: 'interrupted',
};

/** Adds up outcomes; takes no more memory for more files. */
export class Tally {
  readonly #outcomes = new Map<string, number>();
  readonly #ranks = new Map<string, number>();
  readonly #exitCodes = new Set<ExitCode>();
  #files = 0;
  #resumed = 0;

  add(exitCode: ExitCode, word = WORDS[exitCode], wasResumed = false): void {
    this.#files++;
    if (wasResumed) this.#resumed++;
    // Good ones come first, strangers last.
    this.#ranks.set(word, word === NO_STATE ? 2 : exitCode === ExitCode.OK ? 0 : 1);
    this.#outcomes.set(word, (this.#outcomes.get(word) ?? 0) + 1);
    this.#exitCodes.add(exitCode);
  }

  get exitCode(): ExitCode {
    return gravest([...this.#exitCodes]);
  }

  get files(): number {
    return this.#files;
  }

  get summary(): Summary {
    const outcomes = [...this.#outcomes].sort(([a], [b]) => (this.#ranks.get(a) ?? 0) - (this.#ranks.get(b) ?? 0));
    return { files: this.#files, outcomes: Object.fromEntries(outcomes), resumed: this.#resumed };
  }
}

export function wordOf(exitCode: ExitCode): string {
  return WORDS[exitCode];
}

/** `198 whole, 2 damaged, 1 no state`. */
export function summaryText({ files, outcomes, resumed }: Summary): TerminalText {
  if (files === 0) return NO_TEXT;
  const parts = Object.entries(outcomes).map(([word, count]) => line`${count} ${word}`);
  const before = resumed > 0 ? line`; ${resumed} of them were in the journal already` : line``;
  return line`${countText(files, 'file')}: ${joined(parts, ', ')}${before}`;
}
