import { UsageError } from '../../../formats/errors.ts';
import { CODES, WITHOUT_CODE } from './codes/codes.ts';
import { type CodeFacts, KINDS } from './codes/kinds.ts';
import { CODE_FAMILIES, type CodeFamily, systemMeaning } from './own-codes.ts';

/** Meaning of a code of VirtualBox or savkit, with remedies. */
export interface Explanation {
  /** `VERR_SSM_…`, or a code of savkit. */
  name: string;
  /**
   * For savkit's own codes: the class of the error, or `Difference` (findings of `check`), `Refusal`, `Notice` (of
   * `wake`).
   */
  error?: string;
  /** VirtualBox's number; absent where it has none. */
  number?: number;
  /** The number has this meaning only in VirtualBox 3.0 and older. */
  onlyIn30?: true;
  /** Meaning of the code, for people. */
  means: string;
  /** Data that is lost, for people. */
  lost: string;
  /** Remedies for people, in order. */
  next: readonly string[];
}

const byName = new Map(CODES.map((facts) => [facts.name, facts]));
const withoutCode = new Map(WITHOUT_CODE.map((facts) => [facts.name, facts]));

/**
 * Explains a code.
 *
 * @param text a name, with or without `VERR_`, a number such as `-1824`, or a code of savkit such as `truncated`
 * @param families codes of savkit that are searched
 * @returns several if releases use a number differently, or several errors have the code
 * @throws UsageError if the code is not known
 */
export function explainCode(text: string, families: readonly CodeFamily[] = CODE_FAMILIES): Explanation[] {
  const wanted = text.trim().toUpperCase();
  const facts =
    byName.get(wanted) ??
    byName.get(`VERR_${wanted}`) ??
    byName.get(`VINF_${wanted}`) ??
    withoutCode.get(wanted.toLowerCase());
  if (facts) return [explanationOf(facts)];
  const number = Number(wanted.replace(/^[−–]/u, '-'));
  const found = Number.isInteger(number) && wanted !== '' ? withNumber(number) : [];
  if (found.length > 0) return found;
  const own = explainOwn(text.trim(), families);
  if (own.length > 0) return own;
  throw new UsageError(
    'unknown-code',
    `Cannot explain "${text}": it is no known code of saved states, guest memory or savkit, by name or by number`,
  );
}

function explainOwn(code: string, families: readonly CodeFamily[]): Explanation[] {
  const found = families.flatMap(({ error, codes, kind, kinds }) => {
    const means = Object.hasOwn(codes, code) ? codes[code] : undefined;
    return means === undefined ? [] : [{ name: code, error, means, ...KINDS[kinds?.[code] ?? kind] }];
  });
  const means = systemMeaning(code);
  return means === undefined
    ? found
    : [...found, { name: code, error: 'EnvironmentError', means, ...KINDS['around-savkit'] }];
}

/** Explains a number. Errors are negative, but the sign is often left out. */
function withNumber(number: number): Explanation[] {
  const isNumber = (own: number | undefined) => own !== undefined && (own === number || own === -number);
  const today = CODES.filter((facts) => isNumber(facts.number));
  const in30 = CODES.filter((facts) => isNumber(facts.numberIn30) && !today.includes(facts));
  if (today.length + in30.length === 0 && isOfStates(number)) return [unnamed(number)];
  return [
    ...today.map(explanationOf),
    ...in30.map((facts) => ({ ...explanationOf(facts), number: facts.numberIn30 ?? 0, onlyIn30: true as const })),
  ];
}

/** Numbers that VirtualBox reserves for errors of saved states. */
function isOfStates(number: number): boolean {
  return Math.abs(number) >= 1800 && Math.abs(number) <= 1899;
}

function unnamed(number: number): Explanation {
  const own = -Math.abs(number);
  const means = 'a code of saved states, judging by its number, that no release known to savkit has';
  return { name: String(own), number: own, means, ...KINDS['not-known'] };
}

function explanationOf({ name, number, kind, means }: CodeFacts): Explanation {
  const { lost, next } = KINDS[kind];
  return { name, number, means, lost, next };
}

/** Whether VirtualBox knows the code; for tests. */
export function isKnownCode(name: string): boolean {
  return byName.has(name);
}

/**
 * The explanation of a name; an unknown name has a general one. @param name a code of VirtualBox, or one of
 * `WITHOUT_CODE`
 */
export function explanationNamed(name: string): Explanation {
  const facts = byName.get(name) ?? withoutCode.get(name);
  return explanationOf(
    facts ?? {
      name,
      kind: 'not-known',
      means: 'a code that savkit does not know; VirtualBox gave it as the reason of the failure',
    },
  );
}

/** The explanation of an error by its number; undefined if no known error has the number. */
export function explanationOfNumber(number: number): Explanation | undefined {
  return withNumber(number).find(({ name }) => name.startsWith('VERR_') || name === String(number));
}
