import { countText } from '../../formats/amounts.ts';
import { ExitCode, gravest } from '../process/exit-codes.ts';
import { NO_STATE, NOT_POSSIBLE } from '../process/run-command.ts';
import { joined, line, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';

/** Outcomes of many files in numbers. */
export interface Summary {
  files: number;
  /** Number of files by outcome: `whole`, `damaged`, … */
  outcomes: Record<string, number>;
  /** Number of these files that the journal had already. */
  resumed: number;
}

/** Words for outcomes without a word of the command. */
const WORDS: Readonly<Record<ExitCode, string>> = {
  [ExitCode.OK]: 'done',
  [ExitCode.BAD_FILE]: 'damaged',
  [ExitCode.USAGE]: NOT_POSSIBLE,
  [ExitCode.PARTLY]: 'partly done',
  [ExitCode.ENVIRONMENT]: 'not read or written',
  [ExitCode.UNSUPPORTED]: 'not supported',
  [ExitCode.INTERNAL]: 'failed in savkit',
  [ExitCode.INTERRUPTED]: 'interrupted',
};

/** Counts outcomes; memory does not grow with the number of files. */
export class Tally {
  readonly #outcomes = new Map<string, number>();
  readonly #ranks = new Map<string, number>();
  readonly #exitCodes = new Set<ExitCode>();
  #files = 0;
  #resumed = 0;

  add(exitCode: ExitCode, word = WORDS[exitCode], wasResumed = false): void {
    this.#files++;
    if (wasResumed) this.#resumed++;
    // Good outcomes come first, files that are no states last.
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

/** Counts for people: `198 whole, 2 damaged, 1 no state`. */
export function summaryText({ files, outcomes, resumed }: Summary): TerminalText {
  if (files === 0) return NO_TEXT;
  const parts = Object.entries(outcomes).map(([word, count]) => line`${count} ${word}`);
  const before = resumed > 0 ? line`; ${resumed} of them were in the journal already` : line``;
  return line`${countText(files, 'file')}: ${joined(parts, ', ')}${before}`;
}
