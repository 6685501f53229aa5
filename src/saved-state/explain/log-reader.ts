import { type Explanation, explanationNamed } from './explain.ts';
import { failureIn, failureWithoutCode, isAboutStates, isCertainFailure, reasonIn } from './failure-words.ts';
import { adviceFor, type Releases } from './hints.ts';
import { type LogPlace, placeIn } from './log-places.ts';
import { type LogRecord, RecordAssembler } from './log-records.ts';
import { LoggedMachine } from './logged-machine.ts';

/** One failure, as a log tells it. */
export interface LogFinding extends LogPlace {
  /** Lines of the log that belong to the failure, counted from 1; of very many the first ones and the last. */
  lines: number[];
  /** VirtualBox's own messages, without the place in its source. */
  messages: string[];
  /** Meaning of the failure, and remedies. */
  explanation: Explanation;
}

/** A finding with its line of the log, which replaces a missing message. */
type Kept = LogFinding & { said: string };

/** A log of rubbish must not fill the memory. */
const MAX_FINDINGS = 1000;
const MAX_LINES = 100;
const MAX_MESSAGES = 20;
const MAX_MESSAGE = 2000;

const SET_ERROR = /VMSetError: (.*)$/;
/** VMSetError logs two lines; the first only names a place in the source. */
const IN_SOURCE = /^\S+\(\d+\) /;
/** Lines for developers of VirtualBox; its messages for users are in other lines. */
const OF_THE_LOG = /^(?:SSM|VMSetError): /;
/** Errors that the loader logs while it dumps the rest of a unit that has failed already. */
const OF_A_DUMP = /^SSM: offCur=/;
const CRASH = /Guru Meditation (-?\d+)? ?(?:\((V\w+)\))?|to 'GURU_MEDITATION(?:_LS)?'/;
const RELEASE = /^(?:Oracle )?VirtualBox VM (\d+\.\d+\.\d+)/;
const WRITER = /^SSM: File header: .*VirtualBox Version (\d+\.\d+\.\d+)/;

/**
 * Finds failures of saving and loading in the lines of a VBox.log or of a message. Memory is bounded, whatever the
 * length of the log.
 */
export class LogReader {
  readonly #records = new RecordAssembler((record) => this.#take(record));
  readonly #progress = new LoggedMachine();
  readonly #findings: Kept[] = [];
  /** The first finding for each code, each code and unit, each code, unit and instance. */
  readonly #byPlace = new Map<string, Kept>();
  readonly #releases: Releases = {};
  /** Messages of VirtualBox that have no code yet. */
  #words: LogRecord[] = [];
  #vague: Kept | undefined;
  #lastLine = 0;

  line(text: string): void {
    this.#records.line(text);
  }

  /** The failures in their order; later ones are mostly consequences. To be called once, after the last line. */
  end(): LogFinding[] {
    this.#records.end();
    this.#attachWords();
    if (this.#vague && this.#findings.length === 0) this.#add(this.#vague, this.#vague.said);
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
    // Loading has succeeded, so earlier messages of the loader were no failures.
    if (this.#progress.take(text, first)) this.#words = [];
    if (OF_A_DUMP.test(text) && this.#findings.length > 0) return;
    if (CRASH.test(text)) this.#addCrash(record);
    else this.#takeWords(record);
  }

  #takeWords(record: LogRecord): void {
    const { text } = record;
    const spoken = SET_ERROR.exec(text)?.[1];
    if (spoken !== undefined && !IN_SOURCE.test(spoken)) this.#keepWords({ ...record, text: spoken });
    const explanation = failureIn(text) ?? (this.#vague && !record.isLog ? reasonIn(text) : undefined);
    if (explanation) this.#addFailure(explanation, record);
    else if (spoken === undefined && isCertainFailure(text)) this.#keepWords({ ...record, text: wordsOf(text) });
    else this.#takeVagueWords(record);
  }

  /** Keeps messages without a code, as their code mostly follows. */
  #keepWords(words: LogRecord): void {
    if (this.#words.length < MAX_MESSAGES) this.#words.push(words);
  }

  /** Keeps a vague message for a log in which nothing else names a reason. */
  #takeVagueWords(record: LogRecord): void {
    const explanation = this.#vague ? undefined : failureWithoutCode(record);
    const { text, first, last } = record;
    if (explanation) this.#vague = { lines: [...new Set([first, last])], messages: [], explanation, said: text };
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
    if (this.#byPlace.has('guru-meditation')) return;
    const explanation = explanationNamed(this.#progress.hasLoaded ? 'guru-meditation' : 'guru-meditation-alone');
    this.#add({ lines: [first], messages: [wordsOf(text)], explanation }, text, 'guru-meditation');
  }

  /** Adds the kept messages to the last finding, to which they belong. */
  #attachWords(): void {
    const messages = this.#words.map(({ text }) => text);
    const lines = this.#words.map(({ first }) => first);
    const place = messages.map(placeIn).find(({ unit }) => unit !== undefined) ?? {};
    this.#words = [];
    const last = this.#findings.at(-1);
    if (messages.length === 0) return;
    if (last) merge(last, { lines, ...place, messages, explanation: last.explanation });
    else if (messages.some((own) => isAboutStates(own) || isCertainFailure(own) || placeIn(own).unit !== undefined)) {
      this.#add({ lines, ...place, messages, explanation: explanationNamed('load-failed') }, messages[0]);
    }
  }

  #add(finding: LogFinding, said: string, code = finding.explanation.name): void {
    const same = this.#sameAs(finding, code);
    if (!same && this.#findings.length >= MAX_FINDINGS) return;
    const kept = same ?? { ...finding, messages: [], said };
    if (!same) this.#findings.push(kept);
    merge(kept, finding);
    const { unit, instance } = kept;
    for (const key of [code, `${code} ${unit}`, `${code} ${unit}/${instance}`])
      if (!this.#byPlace.has(key)) this.#byPlace.set(key, kept);
  }

  /**
   * The finding of the same failure. Later messages often name less of the place: the unit without its instance, or no
   * unit.
   */
  #sameAs({ unit, instance }: LogFinding, code: string): Kept | undefined {
    const ofCode = this.#byPlace.get(code);
    if (unit === undefined || ofCode?.unit === undefined) return ofCode;
    const ofUnit = this.#byPlace.get(`${code} ${unit}`);
    if (instance === undefined || ofUnit?.instance === undefined) return ofUnit;
    return this.#byPlace.get(`${code} ${unit}/${instance}`);
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

/** A message without the names of program and function. */
function wordsOf(text: string): string {
  return text.replace(/^(?:VBox\w+(?:\.exe)?: )?(?:error: )?(?:VMSetError: )?/i, '');
}

/** Merges two findings of one failure; facts of the first stay. */
function merge(finding: LogFinding, more: LogFinding): void {
  const lines = [...new Set([...finding.lines, ...more.lines])].sort((a, b) => a - b);
  const messages = [
    ...new Set([...finding.messages, ...more.messages.map((message) => message.slice(0, MAX_MESSAGE))]),
  ].slice(0, MAX_MESSAGES);
  if (lines.length > MAX_LINES) lines.splice(MAX_LINES - 1, lines.length - MAX_LINES);
  Object.assign(finding, { ...more, ...finding, lines, messages });
}
