/** What VirtualBox said at once: a line of a log, or a message with the lines that it was wrapped into. */
export interface LogRecord {
  /** Line numbers, counted from 1. */
  first: number;
  last: number;
  /** Without time stamps; wrapped lines are joined by blanks. */
  text: string;
}

/** How mail, web pages and documents of programs write what VirtualBox wrote. */
const WRITTEN_OTHERWISE: readonly (readonly [RegExp, string])[] = [
  [/^\ufeff/, ''],
  [/^(?:\s*>)+\s?/, ''],
  [/[\u2018\u2019\u201a\u201b]|&#0*39;|&apos;|\\u0027/gi, "'"],
  [/[\u201c\u201d\u201e]|&quot;|\\u0022/gi, '"'],
];

const TIME_STAMP = /^\s*(?:\d+:)?\d{2}:\d{2}:\d{2}\.\d+\s+/;
/** Starts of lines that begin something new in messages of VBoxManage and of the user interface. */
const BEGINS =
  /^\s*(?:VBox\w+(?:\.exe)?: |VMSetError: |SSM: |Result Code\b|Component:|Interface:|Callee\b|Details: |Context: |[{\]}*+|-]|\S+#\d+: )/;
/** What is longer is no line of VirtualBox. */
const MAX_LINE = 16 * 1024;
/** A message is wrapped into so many lines at most. */
const MAX_WRAPPED = 12;

/** Puts lines together that belong together. Takes any number of lines; holds one record. */
export class RecordAssembler {
  readonly #take: (record: LogRecord) => void;
  #line = 0;
  #open: { first: number; last: number; parts: string[] } | undefined;
  /** In a log every line has a time; what has none is the rest of the line before. */
  #isLog = false;

  constructor(take: (record: LogRecord) => void) {
    this.#take = take;
  }

  line(raw: string): void {
    this.#line++;
    const line = plain(raw.length > MAX_LINE ? raw.slice(0, MAX_LINE) : raw);
    const stamp = TIME_STAMP.exec(line);
    if (stamp) this.#isLog = true;
    const text = (stamp ? line.slice(stamp[0].length) : line).trim();
    if (text === '') {
      this.end();
      return;
    }
    const open = this.#open;
    const goesOn =
      open && !stamp && !BEGINS.test(text) && open.parts.length < MAX_WRAPPED && (this.#isLog || !isOver(open.parts));
    if (!goesOn) {
      this.end();
      this.#open = { first: this.#line, last: this.#line, parts: [text] };
      return;
    }
    open.parts.push(text);
    open.last = this.#line;
  }

  /** Gives what is held. To be called after the last line. */
  end(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open) this.#take({ first: open.first, last: open.last, text: joined(open.parts) });
  }
}

function plain(line: string): string {
  return WRITTEN_OTHERWISE.reduce((text, [written, meant]) => text.replace(written, meant), line);
}

/** A message that has named its code says no more. */
function isOver(parts: readonly string[]): boolean {
  return /\(VERR_\w+\)\.?$/.test(parts[parts.length - 1]);
}

/** A code that the end of a line has cut goes on without a blank. */
function joined(parts: readonly string[]): string {
  return parts.reduce((text, part) =>
    /\bV(?:ERR|INF|WRN)_\w*_$/.test(text) || (/\(VERR_\w+$/.test(text) && /^[A-Z0-9_]+\)/.test(part))
      ? text + part
      : `${text} ${part}`,
  );
}
