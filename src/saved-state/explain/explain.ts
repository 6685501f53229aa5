import { UsageError } from '../../../formats/errors.ts';
import { CODES, type CodeFacts } from './codes.ts';
import { KINDS } from './kinds.ts';

/** What a code of VirtualBox means and what to do about it. */
export interface Explanation {
  /** `VERR_SSM_…`; of numbers that two releases use differently there are two explanations. */
  name: string;
  number?: number;
  /** Only in VirtualBox 3.0 and older does the number mean this. */
  onlyIn30?: true;
  means: string;
  lost: string;
  next: readonly string[];
}

/** What a log tells about one failure. */
export interface LogFinding {
  /** Lines of the log, counted from 1, that belong to it. */
  lines: number[];
  /** The unit that was being loaded, where the log names one. */
  unit?: string;
  instance?: number;
  version?: number;
  pass?: string;
  /** VirtualBox's own words, without the place in its source. */
  messages: string[];
  explanation: Explanation;
}

const byName = new Map(CODES.map((facts) => [facts.name, facts]));

/** @param text a name, with or without `VERR_`, or a number such as `-1824`. @throws UsageError for one that is not known */
export function explainCode(text: string): Explanation[] {
  const wanted = text.trim().toUpperCase();
  const facts = byName.get(wanted) ?? byName.get(`VERR_${wanted}`) ?? byName.get(`VINF_${wanted}`);
  if (facts) return [explanationOf(facts)];
  const number = Number(wanted.replace(/^[−–]/u, '-'));
  const found = Number.isInteger(number) && wanted !== '' ? withNumber(number) : [];
  if (found.length > 0) return found;
  throw new UsageError('unknown-code', `Cannot explain "${text}": it is no known code of saved states or guest memory, by name or by number`);
}

/** Errors are negative; the sign is often left out. */
function withNumber(number: number): Explanation[] {
  const isNumber = (own: number | undefined) => own !== undefined && (own === number || own === -number);
  const today = CODES.filter((facts) => isNumber(facts.number));
  const in30 = CODES.filter((facts) => isNumber(facts.numberIn30) && !today.includes(facts));
  return [...today.map(explanationOf), ...in30.map((facts) => ({ ...explanationOf(facts), number: facts.numberIn30 ?? 0, onlyIn30: true as const }))];
}

function explanationOf({ name, number, kind, means }: CodeFacts): Explanation {
  const { lost, next } = KINDS[kind];
  return { name, ...(number === undefined ? {} : { number }), means, lost, next };
}

/** Whether VirtualBox knows the code; for tests. */
export function isKnownCode(name: string): boolean {
  return byName.has(name);
}

// What 7.2 writes, and with other punctuation all releases since 3.1.
const LOAD_FAILED = /SSM: LoadExec failed for '([^']+)' instance #(\d+) \(version (\d+), pass (0x[0-9a-f]+)\): (V\w+)/i;
const NO_HANDLER = /Found no handler for unit '([^']+)' instance #(\d+)/;
const SET_ERROR = /VMSetError: (.*)$/;
const CODE = /\bV(?:ERR|INF|WRN)_[A-Z0-9_]+/g;
const NUMBER = /\brc=(-\d+)\b/;
const FROM_UNIT = /^([\w-]+)#(\d+): /;
const FINAL = '0xffffffff';

/** Finds the failures of saving and loading in the text of a VBox.log, the first first. Later ones are mostly consequences. */
export function explainLog(text: string): LogFinding[] {
  const findings: LogFinding[] = [];
  let words: { line: number; message: string }[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    const spoken = SET_ERROR.exec(line)?.[1];
    // The first of two such lines only names a place in the source.
    if (spoken !== undefined && !/^\S+\(\d+\) /.test(spoken)) words.push({ line: i + 1, message: spoken });
    const code = knownCodeIn(line);
    if (!code) continue;
    const finding = findingOf(line, i + 1, code, words);
    const same = findings.find(
      (other) => other.explanation.name === code && (other.unit === undefined || finding.unit === undefined || other.unit === finding.unit),
    );
    if (same) merge(same, finding);
    else findings.push(finding);
    words = [];
  }
  for (const { line, message } of words) attach(findings, line, message);
  return findings.filter(({ explanation }) => !explanation.name.startsWith('VINF_'));
}

/** Words that come without a code belong to what was found last. */
function attach(findings: LogFinding[], line: number, message: string): void {
  const last = findings.at(-1);
  if (last) merge(last, { ...last, ...unitIn([message]), lines: [line], messages: [message] });
}

/** The unit that is named in VirtualBox's own words. */
function unitIn(messages: readonly string[]): { unit: string; instance: number } | undefined {
  const matches = messages.flatMap((message) => [NO_HANDLER.exec(message), FROM_UNIT.exec(message)]);
  const found = matches.find((match) => match !== null);
  return found ? { unit: found[1], instance: Number(found[2]) } : undefined;
}

function knownCodeIn(line: string): string | undefined {
  const names = (line.match(CODE) ?? []).filter((name) => byName.has(name) && !IN_PASSING.includes(name));
  if (names.length > 0) return names[0];
  const number = /SSM|PGM|save/i.test(line) ? NUMBER.exec(line)?.[1] : undefined;
  return number === undefined ? undefined : withNumber(Number(number))[0]?.name;
}

/** Logs are full of these, whatever happens. */
const IN_PASSING = ['VERR_EOF', 'VERR_GENERAL_FAILURE', 'VERR_WRONG_ORDER', 'VERR_TOO_MUCH_DATA', 'VERR_SUP_DRIVERLESS'];

function findingOf(line: string, number: number, code: string, words: readonly { line: number; message: string }[]): LogFinding {
  const facts = byName.get(code) as CodeFacts;
  const failed = LOAD_FAILED.exec(line);
  const messages = words.map(({ message }) => message);
  return {
    lines: [...words.map((word) => word.line), number],
    ...(failed ? { unit: failed[1], instance: Number(failed[2]), version: Number(failed[3]), pass: passText(failed[4]) } : unitIn([line, ...messages])),
    messages,
    explanation: explanationOf(facts),
  };
}

function passText(pass: string): string {
  return pass.toLowerCase() === FINAL ? 'final' : String(Number(pass));
}

/** What the first of two tells stays. */
function merge(finding: LogFinding, more: LogFinding): void {
  const lines = [...new Set([...finding.lines, ...more.lines])].sort((a, b) => a - b);
  Object.assign(finding, { ...more, ...finding, lines, messages: [...new Set([...finding.messages, ...more.messages])] });
}
