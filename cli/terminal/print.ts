import type { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { jsonText, type TerminalText } from './terminal-text.ts';

// The one place where anything leaves through stdout or stderr (a test sees to that): text for people as
// `TerminalText`, JSON escaped, bytes of a state as they are where somebody has asked for them.

const NEWLINE = '\n';
const CLEAR_LINE = '\r\x1b[K';
const CLEAR_SCREEN = '\x1b[H\x1b[J';
const DEFAULT_COLUMNS = 80;

/** What was asked for; text without words is nothing. @returns when it is written */
export function show(text: TerminalText): Promise<void> {
  return text.isEmpty ? Promise.resolve() : write(process.stdout, `${text}${NEWLINE}`);
}

/** What people should know beside what they asked for: errors, notes. */
export function tell(text: TerminalText): void {
  if (!text.isEmpty) process.stderr.write(`${text}${NEWLINE}`);
}

/** A question, after which the answer is typed. */
export function ask(question: TerminalText): void {
  process.stderr.write(question.toString());
}

/** A document for programs, or an event in one line. @param beside to stderr: stdout takes the bytes of a file */
export function showJson(value: object, { isEvent = false, beside = false } = {}): Promise<void> {
  return write(
    beside ? process.stderr : process.stdout,
    `${jsonText(JSON.stringify(value, null, isEvent ? 0 : 2))}${NEWLINE}`,
  );
}

/** A part of a document for programs. @param beside to stderr */
export function showJsonPart(json: string, beside: boolean): Promise<void> {
  return write(beside ? process.stderr : process.stdout, jsonText(json).toString());
}

/** Bytes that were asked for. */
export function showBytes(bytes: Uint8Array): Promise<void> {
  return write(process.stdout, bytes);
}

/** Where the bytes of an output file go that is `-`. */
export function byteOutput(): Writable {
  return process.stdout;
}

/** Shows a line of stderr that the next one, or `clearLine`, replaces; cut where the terminal ends. */
export function redrawLine(text: TerminalText): void {
  const width = (process.stderr.columns ?? DEFAULT_COLUMNS) - 1;
  process.stderr.write(`${CLEAR_LINE}${stripVTControlCharacters(text.toString()).slice(0, width)}`);
}

export function clearLine(): void {
  process.stderr.write(CLEAR_LINE);
}

/** Shows a text on the terminal that stdout is, in place of all that stood there. */
export function redrawScreen(text: TerminalText): Promise<void> {
  return write(process.stdout, `${CLEAR_SCREEN}${text}${NEWLINE}`);
}

/** What happens when stdout takes no more; of stderr there is nowhere left to tell. */
export function onOutputError(handle: (error: NodeJS.ErrnoException) => void): void {
  process.stdout.on('error', handle);
  process.stderr.on('error', () => {});
}

/** Bytes for stdout that nobody has read yet. */
export function unreadBytes(): number {
  return process.stdout.writableLength;
}

/** For libraries that draw: what they are given to draw must be safe. */
export const drawingStreams = { bar: process.stderr, lineEditor: process.stdout } as const;

/** Whether stderr is a terminal: only there lines change. */
export function redraws(): boolean {
  return process.stderr.isTTY === true;
}

/** What text looks like where it is printed. */
export interface OutputStyle {
  colours: boolean;
  /** Of a terminal; undefined where stdout is none. */
  columns: number | undefined;
}

let lent: OutputStyle | undefined;

/** Says that texts of this process are for the stdout of another one. */
export function printIn(style: OutputStyle): void {
  lent = style;
}

/** Colour on a terminal only, and not with NO_COLOR (https://no-color.org). */
export function outputStyle(): OutputStyle {
  const { isTTY, columns } = process.stdout;
  return lent ?? { colours: isTTY === true && !process.env.NO_COLOR, columns: isTTY ? columns : undefined };
}

export function showsColours(): boolean {
  return outputStyle().colours;
}

/** Columns of the terminal that stdout is; undefined where it is none. */
export function terminalColumns(): number | undefined {
  return outputStyle().columns;
}

function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  // Errors of the stream are for its own handler.
  return new Promise((resolve) => stream.write(data, () => resolve()));
}
