import { TELLING_CODES } from './codes/codes.ts';
import { placeIn } from './log-places.ts';

/** A line of a log, or a message, joined from the lines into which it was wrapped. */
export interface LogRecord {
  /** Line numbers, counted from 1. */
  first: number;
  last: number;
  /** Without time stamps; wrapped lines are joined by blanks. */
  text: string;
  /** The record is from a log, in which every line has a time. */
  isLog: boolean;
}

/** Changes that mail, web pages and word processors make to text, with their reversal. */
const WRITTEN_OTHERWISE: readonly (readonly [RegExp, string])[] = [
  [/^\ufeff/, ''],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal
  [/\u001b\[[0-9;]*[A-Za-z]/g, ''],
  [/[\u00ad\u200b-\u200d\u2060]/g, ''],
  [/[\u00a0\u202f]/g, ' '],
  [/^(?:\s*>)+\s?/, ''],
  [/\\_/g, '_'],
  [/<\/?(?:b|i|em|strong|code|tt|span|nobr|u)(?: [^<>]*)?>/gi, ''],
  [/<\/?(?:br|p|div|td|th|tr|table|li|pre|html|body|qt)(?: [^<>]*)?\/?>/gi, ' '],
  [/[`\u2018\u2019\u201a\u201b]|&#0*39;|&apos;|\\u0027/gi, "'"],
  [/[\u201c\u201d\u201e]|[\u00ab]\s?|\s?[\u00bb]|&quot;|\\u0022/gi, '"'],
  // A code that was cut.
  [/(\bVERR_\w*_) (?=[A-Z0-9_]+\))/g, '$1'],
];

/** VirtualBox's time stamp: hours, minutes and seconds since the machine began. */
const TIME_STAMP = /\d{2}:\d{2}:\d{2}\.\d+\s+/g;
/** Prefixes of lines in journals and on build servers. */
const OF_A_JOURNAL =
  /^(?:[A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \S+ |\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S*\s(?:\S+ (?=[\w./-]+\[\d+\]: ))?)(?:[\w./-]+\[\d+\]: )?/;
/** Longest prefix before a time stamp, such as a file's name or a line number that another program has added. */
const MAX_PREFIX = 160;
/** Beginnings of lines that start a new message of VBoxManage or the user interface. */
const BEGINS =
  /^\s*(?:VBox\w+(?:\.exe)?: |VMSetError: |SSM: |Result Code\b|Component:|Interface:|Callee\b|Details: |Context: |\S+#\d+: )/;
/** Marks of lists and tables. The rest of a line of a log may start with any of them. */
const BEGINS_ITEM = /^\s*[{\]}*+|-]/;
/** Longest line of VirtualBox. */
const MAX_LINE = 16 * 1024;
/** Maximum number of lines into which a message is wrapped. */
const MAX_WRAPPED = 12;

/** Joins lines to records. Takes any number of lines; holds one record. */
export class RecordAssembler {
  readonly #take: (record: LogRecord) => void;
  #line = 0;
  #open: { first: number; last: number; parts: string[] } | undefined;
  /** In a log every line has a time; a line without one continues the line before. */
  #isLog = false;

  constructor(take: (record: LogRecord) => void) {
    this.#take = take;
  }

  line(raw: string): void {
    this.#line++;
    for (const { text, isStamped } of piecesOf(plain(raw.length > MAX_LINE ? raw.slice(0, MAX_LINE) : raw)))
      this.#piece(text, isStamped);
  }

  #piece(text: string, isStamped: boolean): void {
    if (isStamped) this.#isLog = true;
    if (text.trim() === '') {
      this.end();
      return;
    }
    const open = this.#open;
    const goesOn =
      open &&
      !isStamped &&
      !BEGINS.test(text) &&
      open.parts.length < MAX_WRAPPED &&
      (this.#isLog || !(BEGINS_ITEM.test(text) || isOver(open.parts)));
    if (!goesOn) {
      this.end();
      this.#open = { first: this.#line, last: this.#line, parts: [text] };
      return;
    }
    open.parts.push(text);
    open.last = this.#line;
  }

  /** Hands on the last record. To be called after the last line. */
  end(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open) this.#take({ first: open.first, last: open.last, text: joined(open.parts), isLog: this.#isLog });
  }
}

/** Splits lines that were run together, at their time stamps. */
function piecesOf(line: string): { text: string; isStamped: boolean }[] {
  const stamps = [...line.matchAll(TIME_STAMP)];
  if (stamps.length === 0) {
    const prefix = OF_A_JOURNAL.exec(line)?.[0] ?? '';
    return [{ text: line.slice(prefix.length), isStamped: prefix !== '' }];
  }
  const pieces = stamps.map(({ index, 0: stamp }, i) => ({
    text: line.slice(index + stamp.length, stamps[i + 1]?.index),
    isStamped: true,
  }));
  const before = line.slice(0, stamps[0].index);
  return before.length <= MAX_PREFIX ? pieces : [{ text: before, isStamped: false }, ...pieces];
}

function plain(line: string): string {
  const text = /%2[078]/.test(line) ? outOfUrl(line) : line;
  return WRITTEN_OTHERWISE.reduce((own, [written, meant]) => own.replace(written, meant), text);
}

/** Decodes text that was pasted out of a browser's address bar. */
function outOfUrl(line: string): string {
  try {
    return decodeURIComponent(line);
  } catch {
    return line;
  }
}

/** Whether a message is complete: it ends with its code. */
function isOver(parts: readonly string[]): boolean {
  return /\(VERR_\w+\)\.?\s*$/.test(parts[parts.length - 1]);
}

/** Joins lines. Mail wraps at blanks, terminals anywhere, so the way that recognises more of a failure is taken. */
function joined(parts: readonly string[]): string {
  const words = parts.map((part) => part.trim()).reduce(atBlanks);
  if (parts.length === 1) return words;
  const cut = parts
    .map((part) => part.replace(/\r$/, ''))
    .join('')
    .trim();
  return tellingOf(cut) > tellingOf(words) ? cut : words;
}

/** Joins at a blank, or without one if the end of the line has cut a code. */
function atBlanks(text: string, part: string): string {
  const isCut = /\bV(?:ERR|INF|WRN)_\w*_$/.test(text) || (/\(VERR_\w+$/.test(text) && /^[A-Z0-9_]+\)/.test(part));
  return isCut ? text + part : `${text} ${part}`;
}

/** Number of known parts of a failure in a text. */
function tellingOf(text: string): number {
  const named = Object.values(placeIn(text)).filter((value) => value !== undefined).length;
  const isKnown = (text.match(/\bVERR_\w+/g) ?? []).some((code) => TELLING_CODES.has(code));
  return named + (isKnown ? 1 : 0);
}
