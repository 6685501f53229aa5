import type { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { jsonText, type TerminalText } from './terminal-text.ts';

// The one place that writes to stdout or stderr (a test checks that): text for people as `TerminalText`, escaped JSON,
// and bytes of a state unchanged if the user has asked for them.

const NEWLINE = '\n';
const CLEAR_LINE = '\r\x1b[K';
const CLEAR_SCREEN = '\x1b[H\x1b[J';
const DEFAULT_COLUMNS = 80;

/** Prints a result; an empty text prints nothing. Resolves when it is written. */
export function show(text: TerminalText): Promise<void> {
  return text.isEmpty ? Promise.resolve() : write(process.stdout, `${text}${NEWLINE}`);
}

/** Prints errors and notes beside the result. */
export function tell(text: TerminalText): void {
  if (!text.isEmpty) process.stderr.write(`${text}${NEWLINE}`);
}

/** Prints a question, after which the user types the answer. */
export function ask(question: TerminalText): void {
  process.stderr.write(question.toString());
}

/**
 * Prints a document for programs, or an event in one line. @param beside to stderr, as stdout takes the bytes of a file
 */
export function showJson(value: object, { isEvent = false, beside = false } = {}): Promise<void> {
  return write(
    beside ? process.stderr : process.stdout,
    `${jsonText(JSON.stringify(value, null, isEvent ? 0 : 2))}${NEWLINE}`,
  );
}

/** Prints a part of a document for programs. @param beside to stderr */
export function showJsonPart(json: string, beside: boolean): Promise<void> {
  return write(beside ? process.stderr : process.stdout, jsonText(json).toString());
}

/** Writes bytes of a result. */
export function showBytes(bytes: Uint8Array): Promise<void> {
  return write(process.stdout, bytes);
}

/** Stream for the bytes of an output file named `-`. */
export function byteOutput(): Writable {
  return process.stdout;
}

/** Shows a line on stderr until the next one or `clearLine` replaces it; cut to the width of the terminal. */
export function redrawLine(text: TerminalText): void {
  const width = (process.stderr.columns ?? DEFAULT_COLUMNS) - 1;
  process.stderr.write(`${CLEAR_LINE}${stripVTControlCharacters(text.toString()).slice(0, width)}`);
}

export function clearLine(): void {
  process.stderr.write(CLEAR_LINE);
}

/** Shows a text on the terminal at stdout, in place of its old contents. */
export function redrawScreen(text: TerminalText): Promise<void> {
  return write(process.stdout, `${CLEAR_SCREEN}${text}${NEWLINE}`);
}

/** Sets the handler for failures of stdout; failures of stderr cannot be told anywhere. */
export function onOutputError(handle: (error: NodeJS.ErrnoException) => void): void {
  process.stdout.on('error', handle);
  process.stderr.on('error', () => {});
}

/** Number of bytes for stdout that were not read yet. */
export function unreadBytes(): number {
  return process.stdout.writableLength;
}

/** Streams for libraries that draw; callers must give them safe text only. */
export const drawingStreams = { bar: process.stderr, lineEditor: process.stdout } as const;

/** Whether stderr is a terminal: only there lines change. */
export function redraws(): boolean {
  return process.stderr.isTTY === true;
}

/** Look of printed text. */
export interface OutputStyle {
  colours: boolean;
  /** Width of the terminal; undefined if stdout is no terminal. */
  columns: number | undefined;
}

let lent: OutputStyle | undefined;

/** Sets the style for texts that another process prints. */
export function printIn(style: OutputStyle): void {
  lent = style;
}

/** Style for stdout: colour on a terminal only, and not with NO_COLOR (https://no-color.org). */
export function outputStyle(): OutputStyle {
  const { isTTY, columns } = process.stdout;
  return lent ?? { colours: isTTY === true && !process.env.NO_COLOR, columns: isTTY ? columns : undefined };
}

export function showsColours(): boolean {
  return outputStyle().colours;
}

/** Columns of the terminal at stdout; undefined if stdout is no terminal. */
export function terminalColumns(): number | undefined {
  return outputStyle().columns;
}

function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  // The handler of `onOutputError` gets errors of the stream.
  return new Promise((resolve) => stream.write(data, () => resolve()));
}
