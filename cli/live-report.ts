import { printable, printableJson, printableLines } from './render.ts';

/** At most so many updates a second reach the terminal, or a program that reads events. */
const UPDATES_PER_SECOND = 10;

/** What a long-running command says while it runs: one line that changes, on a terminal; or events as JSON, one a line, on stdout. */
export class LiveReport {
  readonly #mode: 'events' | 'line' | 'silent';
  readonly #notes: boolean;
  #updatedAt = Number.NEGATIVE_INFINITY;
  #lineShown = false;

  constructor({ json, quiet, ndjson }: { json: boolean; quiet: boolean; ndjson?: boolean }) {
    const forPeople = !json && !quiet && process.stderr.isTTY === true;
    this.#mode = ndjson ? 'events' : forPeople ? 'line' : 'silent';
    this.#notes = !json && !quiet && !ndjson;
  }

  /** Something that happened once; without a text it is of interest to programs only. */
  note(event: string, text: string, data: object = {}): void {
    this.#clear();
    if (this.#mode === 'events') this.#emit(event, data);
    else if (this.#notes && text !== '') process.stderr.write(`${printableLines(text)}\n`);
  }

  /** What nothing can go on without: shown also where notes are not. */
  ask(event: string, text: string, data: object): void {
    this.#clear();
    if (this.#mode === 'events') this.#emit(event, data);
    else process.stderr.write(`${printableLines(text)}\n`);
  }

  /** How far things are; may be called as often as one likes. */
  update(event: string, text: () => string, data: () => object): void {
    const now = performance.now();
    if (this.#mode === 'silent' || now - this.#updatedAt < 1000 / UPDATES_PER_SECOND) return;
    this.#updatedAt = now;
    if (this.#mode === 'events') this.#emit(event, data());
    else {
      const width = (process.stderr.columns ?? 80) - 1;
      process.stderr.write(`\r\x1b[K${printable(text()).slice(0, width)}`);
      this.#lineShown = true;
    }
  }

  stop(): void {
    this.#clear();
  }

  #emit(event: string, data: object): void {
    process.stdout.write(`${printableJson(JSON.stringify({ event, ...data }))}\n`);
  }

  #clear(): void {
    if (this.#lineShown) process.stderr.write('\r\x1b[K');
    this.#lineShown = false;
  }
}
