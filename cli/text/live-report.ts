import { custody } from '../process/custody.ts';
import { clearLine, redrawLine, redraws, showJson, tell, unreadBytes } from '../terminal/print.ts';
import type { TerminalText } from '../terminal/terminal-text.ts';

/** At most so many updates a second reach the terminal, or a program that reads events. */
const UPDATES_PER_SECOND = 10;

/** Bytes that may wait for a slow reader; beyond that updates are left out. */
const UNREAD_LIMIT = 1 << 20;

/**
 * What a long-running command says while it runs: one line that changes, on a terminal; or events as JSON, one a line,
 * on stdout. Such a command does something that counts more than the report of it: it goes on without readers, too.
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

  /** Something that happened once; without a text it is of interest to programs only. */
  note(event: string, text: TerminalText, data: object = {}): void {
    this.#clear();
    if (this.#mode === 'events') this.#emit(event, data);
    else if (this.#notes) tell(text);
  }

  /** Shows a text without which nothing can go on, such as a pairing code, even where notes are not shown. */
  ask(event: string, text: TerminalText, data: object): void {
    this.#clear();
    if (this.#mode === 'events') this.#emit(event, data);
    else tell(text);
  }

  /** How far things are; may be called as often as one likes. */
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
