import { UsageError } from '../errors.ts';

/**
 * Checks a choice that a caller has made, perhaps in plain JavaScript. @param name the caller's name for the choice
 * @throws UsageError `bad-value` unless the choice is one of `choices`
 */
export function chosenFrom<T extends string>(name: string, choice: T, choices: readonly T[]): T {
  if (!choices.includes(choice))
    throw new UsageError('bad-value', `Cannot use ${name} ${String(choice)}: expected ${choices.join(', ')}`);
  return choice;
}
