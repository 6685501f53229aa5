import { createRequire } from 'node:module';
import type { SingleBar } from 'cli-progress';
import { drawingStreams, redraws } from './print.ts';
import { sizeText } from './size-text.ts';
import { line, shortened, type TerminalText } from './terminal-text.ts';

/** Shorter work ends before a bar would be of use. */
const SHOW_AFTER_MS = 400;
/** The bar and its figures need the rest of the line. */
const LONGEST_NAME = 30;

/** A bar with rate and time left on stderr, on a terminal only. */
export class ProgressBar {
  readonly #label: TerminalText;
  readonly #enabled: boolean;
  #bar: SingleBar | undefined;
  #start = 0;
  #shownAt = 0;
  #highest = 0;
  /** The present step, where work has several; each step fills the whole bar. */
  #doing = '';

  /** @param count `file 3 of 8`, where there are several */
  constructor(command: string, file: string, enabled: boolean, count = '') {
    const name = shortened(file, LONGEST_NAME);
    this.#label = count === '' ? line`${command} ${name}` : line`${command} ${name} (${count})`;
    this.#enabled = enabled && redraws();
  }

  /** Shows that `done` of `total` bytes are done; goes backwards only when a new step begins. */
  update(done: number, total: number | undefined, doing = ''): void {
    if (!this.#enabled || total === undefined || total === 0) return;
    const now = performance.now();
    this.#start ||= now;
    if (doing !== this.#doing) {
      this.#doing = doing;
      this.#highest = 0;
      this.#start = now;
    }
    this.#highest = Math.max(this.#highest, done);
    if (now - this.#start < SHOW_AFTER_MS || now - this.#shownAt < 100) return;
    this.#shownAt = now;
    this.#bar ??= this.#open(total);
    this.#bar.setTotal(total);
    const rate = (this.#highest / (now - this.#start)) * 1000;
    this.#bar.update(this.#highest, {
      doing: line`${this.#doing}`.toString(),
      rate: `${sizeText(rate)}/s`,
      left: `${Math.ceil((total - this.#highest) / rate)} s left`,
    });
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #open(total: number): SingleBar {
    // The library is loaded only for a bar: most commands end before a bar is shown.
    const { SingleBar } = createRequire(import.meta.url)('cli-progress') as typeof import('cli-progress');
    const bar = new SingleBar({
      // The file name must not be part of the format, which would expand braces in it.
      format: '{label} {doing} {bar} {percentage}% {rate} {left}',
      stream: drawingStreams.bar,
      hideCursor: true,
      clearOnComplete: true,
      barsize: 30,
      barCompleteChar: '#',
      barIncompleteChar: '.',
    });
    bar.start(total, 0, { label: this.#label.toString(), doing: '', rate: '', left: '' });
    return bar;
  }
}
