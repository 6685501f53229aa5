import { custody } from '../process/custody.ts';
import { clearLine, redrawLine, redraws, showJson, tell, unreadBytes } from '../terminal/print.ts';
import type { TerminalText } from '../terminal/terminal-text.ts';

/** Maximum number of updates a second on the terminal, or for a program that reads events. */
const UPDATES_PER_SECOND = 10;

/** Maximum number of bytes that wait for a slow reader; beyond, updates are dropped. */
const UNREAD_LIMIT = 1 << 20;

/**
 * Output of a long-running command while it runs: on a terminal one line that changes; or events as JSON, one a line,
 * on stdout. The command's work counts more than its output: it goes on when nobody reads.
 */
export class LiveReport {
  readonly #mode: 'events' | 'line' | 'silent';
  readonly #notes: boolean;
  #updatedAt = Number.NEGATIVE_INFINITY;
  #lineShown = false;

  constructor({ json, quiet, ndjson }: { json: boolean; quiet: boolean; ndjson?: boolean }) {
    custody.ignoreOutputFailures();
    const forPeople = !json && !quiet && redraws();
    this.#mode = ndjson ? 'events' : forPeople ? 'line' : 'silent';
    this.#notes = !json && !quiet && !ndjson;
  }

  /** Reports an event; an event without a text is for programs only. */
  note(event: string, text: TerminalText, data: object = {}): void {
    this.#clear();
    if (this.#mode === 'events') this.#emit(event, data);
    else if (this.#notes) tell(text);
  }

  /** Shows a text that the user needs to go on, such as a pairing code, even where notes are hidden. */
  ask(event: string, text: TerminalText, data: object): void {
    this.#clear();
    if (this.#mode === 'events') this.#emit(event, data);
    else tell(text);
  }

  /** Shows progress; may be called at any rate. */
  update(event: string, text: () => TerminalText, data: () => object): void {
    const now = performance.now();
    if (this.#mode === 'silent' || now - this.#updatedAt < 1000 / UPDATES_PER_SECOND) return;
    this.#updatedAt = now;
    if (this.#mode === 'events') this.#emit(event, data());
    else {
      redrawLine(text());
      this.#lineShown = true;
    }
  }

  stop(): void {
    this.#clear();
  }

  #emit(event: string, data: object): void {
    if (unreadBytes() <= UNREAD_LIMIT) void showJson({ event, ...data }, { isEvent: true });
  }

  #clear(): void {
    if (this.#lineShown) clearLine();
    this.#lineShown = false;
  }
}
