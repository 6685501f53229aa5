import { TELLING_CODES } from './codes/codes.ts';
import { type Explanation, explanationNamed, explanationOfNumber } from './explain.ts';
import { adviceFor, type Releases } from './hints.ts';
import { type LogPlace, placeIn } from './log-places.ts';
import { type LogRecord, RecordAssembler } from './log-records.ts';
import { LoggedMachine } from './logged-machine.ts';

/** What a log tells about one failure. */
export interface LogFinding extends LogPlace {
  /** Lines of the log, counted from 1, that belong to it; of very many the first ones and the last. */
  lines: number[];
  /** VirtualBox's own words, without the place in its source. */
  messages: string[];
  /** What it means and what to do. */
  explanation: Explanation;
}

/** With the line that told of it, for want of better words. */
type Kept = LogFinding & { said: string };

/** A log of rubbish must not fill the memory. */
const MAX_FINDINGS = 1000;
const MAX_LINES = 100;
const MAX_MESSAGES = 20;
const MAX_MESSAGE = 2000;

const CODE = /\bV(?:ERR|INF|WRN)_[A-Z0-9_]*[A-Z0-9]\b/gi;
const NUMBER = /(?:\b(?:v?rc|status|error|code)\s*[=:]?\s*|\()(-\d{1,5})\b(?!\.)/i;
const SET_ERROR = /VMSetError: (.*)$/;
/** The first of two such lines only names a place in the source. */
const IN_SOURCE = /^\S+\(\d+\) /;
const ABOUT_STATES =
  /\b(?:SSM|LoadExec|SaveExec|saved[ -]?(?:VM[ -]|machine[ -])?states?|state file|savestate|restor(?:e|ed|ing)|snapshots?|teleport\w*|data unit|load(?:ing)? (?:the |a )?(?:unit|state|saved|VM|machine)|VMR3(?:Load|Save|Teleport)\w*|\.sav\b|Power up failed)/i;
const ABOUT_SAVING = /\bsav(?:e|ing)\b/i;
const OTHER_SAVING = /\b(?:settings|screenshot|log file)\b/i;
const SAVED_STATE = /\bsaved[ -]?(?:VM[ -]|machine[ -])?state/i;
/** Words that VirtualBox has for nothing else, also where the end of a line, with its code, is lost. */
const ONLY_FAILURES =
  /\b(?:Load|Save)Exec failed for '|\bFailed to load unit '|Found no handler for unit '|Unsupported version \d+ of data unit|: Device in slot 0x\w+ has been removed|: New device in slot|: Config mismatch - |VM is missing a \w+ on port|\berror: [\w-]*[a-z][\w-]*#\d+: /i;
const SAYS_FAILED =
  /fail|error|could not|couldn't|can ?not|can't|unable|invalid|refus|abort|missing|mismatch|corrupt|not (?:found|supported|available)|unsupported|denied|\brc=|\bvrc=/i;
const OTHER_LOADING = /\b(?:module|driver|library|plug-?in|extension pack|image|medi(?:um|a)|DLL|symbol)\b/i;
/** Lines that name places, for those who look for faults of VirtualBox; its words for people stand elsewhere. */
const OF_THE_LOG = /^(?:SSM|VMSetError): /;
const CRASH = /Guru Meditation (-?\d+)? ?(?:\((V\w+)\))?|to 'GURU_MEDITATION(?:_LS)?'/;
const RELEASE = /^(?:Oracle )?VirtualBox VM (\d+\.\d+\.\d+)/;
const WRITER = /^SSM: File header: .*VirtualBox Version (\d+\.\d+\.\d+)/;

/**
 * Finds the failures of saving and loading in a VBox.log, or a message, that comes line by line. Room: some findings,
 * however long it is.
 */
export class LogReader {
  readonly #records = new RecordAssembler((record) => this.#take(record));
  readonly #progress = new LoggedMachine();
  readonly #findings: Kept[] = [];
  /** By code, and by code, unit and instance: where the next one belongs. */
  readonly #first = new Map<string, Kept>();
  readonly #byPlace = new Map<string, Kept>();
  readonly #releases: Releases = {};
  /** VirtualBox's words that have no code yet. */
  #words: LogRecord[] = [];
  #lastLine = 0;

  line(text: string): void {
    this.#records.line(text);
  }

  /** The failures, the first first. Later ones are mostly consequences. To be called once, after the last line. */
  end(): LogFinding[] {
    this.#records.end();
    this.#attachWords();
    const { doing } = this.#progress;
    if (doing) {
      const name = doing.what === 'saving' ? 'save-never-ended' : 'load-never-ended';
      this.#add(
        { lines: [doing.line, this.#lastLine], messages: [], explanation: explanationNamed(name) },
        doing.words,
      );
    }
    return this.#findings.map(({ said, ...finding }) => {
      const { explanation } = finding;
      const messages = finding.messages.length > 0 ? finding.messages : [wordsOf(said).slice(0, MAX_MESSAGE)];
      const next = [
        ...new Set([...adviceFor(messages, finding, explanation.name, this.#releases), ...explanation.next]),
      ];
      return { ...finding, messages, explanation: { ...explanation, next } };
    });
  }

  #take(record: LogRecord): void {
    const { text, first, last } = record;
    this.#lastLine = last;
    this.#releases.runs ??= RELEASE.exec(text)?.[1];
    this.#releases.wrote ??= WRITER.exec(text)?.[1];
    this.#progress.take(text, first);
    if (CRASH.test(text)) this.#addCrash(record);
    else this.#takeWords(record);
  }

  #takeWords(record: LogRecord): void {
    const { text } = record;
    const spoken = SET_ERROR.exec(text)?.[1];
    if (spoken !== undefined && !IN_SOURCE.test(spoken) && this.#words.length < MAX_MESSAGES)
      this.#words.push({ ...record, text: spoken });
    const explanation = failureIn(text);
    if (explanation) this.#addFailure(explanation, record);
    else if (spoken === undefined && ONLY_FAILURES.test(text))
      this.#addFailure(explanationNamed('load-failed'), record);
    else if (/to 'LOAD_FAILURE'/.test(text)) this.#addLoadFailure(record);
  }

  #addFailure(explanation: Explanation, { text, first, last }: LogRecord): void {
    const words = this.#words;
    this.#words = [];
    const messages = words.map((word) => word.text);
    const place = placeIn(text);
    for (const message of messages) Object.assign(place, { ...placeIn(message), ...place });
    if (!OF_THE_LOG.test(text)) messages.push(wordsOf(text));
    this.#add({ lines: [...words.map((word) => word.first), first, last], ...place, messages, explanation }, text);
  }

  #addCrash({ text, first }: LogRecord): void {
    if (this.#first.has('guru-meditation')) return;
    const explanation = explanationNamed(this.#progress.hasLoaded ? 'guru-meditation' : 'guru-meditation-alone');
    this.#add({ lines: [first], messages: [wordsOf(text)], explanation }, text, 'guru-meditation');
  }

  /** Where nothing before it has named a reason. */
  #addLoadFailure({ text, first }: LogRecord): void {
    this.#attachWords();
    if (this.#findings.length === 0)
      this.#add({ lines: [first], messages: [], explanation: explanationNamed('load-failed') }, text);
  }

  /** Words that come without a code belong to what was found last. */
  #attachWords(): void {
    const messages = this.#words.map(({ text }) => text);
    const lines = this.#words.map(({ first }) => first);
    const place = messages.map(placeIn).find(({ unit }) => unit !== undefined) ?? {};
    this.#words = [];
    const last = this.#findings.at(-1);
    if (messages.length === 0) return;
    if (last) merge(last, { lines, ...place, messages, explanation: last.explanation });
    else if (messages.some((message) => ABOUT_STATES.test(message) || placeIn(message).unit !== undefined)) {
      this.#add({ lines, ...place, messages, explanation: explanationNamed('load-failed') }, messages[0]);
    }
  }

  #add(finding: LogFinding, said: string, code = finding.explanation.name): void {
    const place = `${code} ${finding.unit}`;
    const first = this.#first.get(code);
    const same =
      finding.unit === undefined || first?.unit === undefined
        ? first
        : (this.#byPlace.get(`${place}/${finding.instance}`) ?? this.#byPlace.get(place));
    if (!same && this.#findings.length >= MAX_FINDINGS) return;
    const kept = same ?? { ...finding, messages: [], said };
    if (!same) this.#findings.push(kept);
    if (!first) this.#first.set(code, kept);
    merge(kept, finding);
    this.#byPlace.set(`${place}/${finding.instance}`, kept);
    if (finding.instance === undefined || kept.instance === undefined) this.#byPlace.set(place, kept);
  }
}

/** Finds the failures of saving and loading in the text of a VBox.log, or of a message. */
export function explainLog(text: string): LogFinding[] {
  const reader = new LogReader();
  let start = 0;
  while (start < text.length) {
    const end = text.indexOf('\n', start);
    reader.line(text.slice(start, end < 0 ? text.length : end));
    start = end < 0 ? text.length : end + 1;
  }
  return reader.end();
}

/** What a line says has failed; undefined where it tells of no failure. */
function failureIn(text: string): Explanation | undefined {
  const names = (text.match(CODE) ?? []).map((name) => name.toUpperCase()).filter((name) => name.startsWith('VERR_'));
  const isAbout = ABOUT_STATES.test(text)
    ? !OTHER_LOADING.test(text) || SAVED_STATE.test(text) || placeIn(text).unit !== undefined
    : ABOUT_SAVING.test(text) && !OTHER_SAVING.test(text);
  const says = isAbout && SAYS_FAILED.test(text);
  const name =
    names.find((own) => TELLING_CODES.has(own)) ?? (says || placeIn(text).version !== undefined ? names[0] : undefined);
  if (name !== undefined) return explanationNamed(name);
  const number = says || /PGM|save/i.test(text) ? NUMBER.exec(text)?.[1] : undefined;
  return number === undefined ? undefined : explanationOfNumber(Number(number));
}

/** Without what names the program and the place. */
function wordsOf(text: string): string {
  return text.replace(/^(?:VBox\w+(?:\.exe)?: )?(?:error: )?(?:VMSetError: )?/i, '');
}

/** What the first of two tells stays. */
function merge(finding: LogFinding, more: LogFinding): void {
  const lines = [...new Set([...finding.lines, ...more.lines])].sort((a, b) => a - b);
  const messages = [
    ...new Set([...finding.messages, ...more.messages.map((message) => message.slice(0, MAX_MESSAGE))]),
  ].slice(0, MAX_MESSAGES);
  if (lines.length > MAX_LINES) lines.splice(MAX_LINES - 1, lines.length - MAX_LINES);
  Object.assign(finding, { ...more, ...finding, lines, messages });
}
