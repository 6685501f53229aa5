import { UsageError } from '../errors.ts';

/**
 * Checks a choice of somebody whose compiler may not have done so. @param name by which they know it @throws UsageError
 * `bad-value` unless it is one of the choices
 */
export function chosenFrom<T extends string>(name: string, choice: T, choices: readonly T[]): T {
  if (!choices.includes(choice))
    throw new UsageError('bad-value', `Cannot use ${name} ${String(choice)}: expected ${choices.join(', ')}`);
  return choice;
}
