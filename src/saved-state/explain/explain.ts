import { UsageError } from '../../../formats/errors.ts';
import { CODES, type CodeFacts, WITHOUT_CODE } from './codes.ts';
import { KINDS } from './kinds.ts';

/** What a code of VirtualBox means and what to do about it. */
export interface Explanation {
  /** `VERR_SSM_…`; of numbers that two releases use differently there are two explanations. */
  name: string;
  /** VirtualBox's number; absent where it has none. */
  number?: number;
  /** Only in VirtualBox 3.0 and older does the number mean this. */
  onlyIn30?: true;
  /** What it means, for people. */
  means: string;
  /** What cannot be had any more, for people. */
  lost: string;
  /** What to do, for people, in order. */
  next: readonly string[];
}

const byName = new Map(CODES.map((facts) => [facts.name, facts]));

/**
 * @param text a name, with or without `VERR_`, or a number such as `-1824`. @throws UsageError for one that is not
 * known
 */
export function explainCode(text: string): Explanation[] {
  const wanted = text.trim().toUpperCase();
  const facts = byName.get(wanted) ?? byName.get(`VERR_${wanted}`) ?? byName.get(`VINF_${wanted}`);
  if (facts) return [explanationOf(facts)];
  const number = Number(wanted.replace(/^[−–]/u, '-'));
  const found = Number.isInteger(number) && wanted !== '' ? withNumber(number) : [];
  if (found.length > 0) return found;
  throw new UsageError(
    'unknown-code',
    `Cannot explain "${text}": it is no known code of saved states or guest memory, by name or by number`,
  );
}

/** Errors are negative; the sign is often left out. */
function withNumber(number: number): Explanation[] {
  const isNumber = (own: number | undefined) => own !== undefined && (own === number || own === -number);
  const today = CODES.filter((facts) => isNumber(facts.number));
  const in30 = CODES.filter((facts) => isNumber(facts.numberIn30) && !today.includes(facts));
  return [
    ...today.map(explanationOf),
    ...in30.map((facts) => ({ ...explanationOf(facts), number: facts.numberIn30 ?? 0, onlyIn30: true as const })),
  ];
}

function explanationOf({ name, number, kind, means }: CodeFacts): Explanation {
  const { lost, next } = KINDS[kind];
  return { name, ...(number === undefined ? {} : { number }), means, lost, next };
}

/** Whether VirtualBox knows the code; for tests. */
export function isKnownCode(name: string): boolean {
  return byName.has(name);
}

/** Of what has no code, or one that is not in the table. @param name a code of VirtualBox, or one of `WITHOUT_CODE` */
export function explanationNamed(name: string): Explanation {
  const facts = byName.get(name) ?? WITHOUT_CODE.find((own) => own.name === name);
  return explanationOf(
    facts ?? {
      name,
      kind: 'not-known',
      means: 'a code that savkit does not know; VirtualBox gave it as the reason why saving or loading failed',
    },
  );
}

/** Undefined where the number is that of no known error. */
export function explanationOfNumber(number: number): Explanation | undefined {
  return withNumber(number).find(({ name }) => name.startsWith('VERR_'));
}
