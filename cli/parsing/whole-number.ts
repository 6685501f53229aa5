import { UsageError } from '../../formats/errors.ts';

/**
 * Checks the value of an option. @param option its long name @throws UsageError unless it is a whole number from 1 to
 * `most`
 */
export function expectWholeNumber(option: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new UsageError('bad-value', `--${option} ${value}: expected a whole number from 1 to ${most}`);
}
