import { UsageError } from '../errors.ts';

/**
 * Checks a number that somebody has chosen. @param name by which they know it @throws UsageError `bad-count` unless it
 * is a whole number from `least` to `most`
 */
export function countWithin(name: string, count: number, least: number, most: number): number {
  if (!Number.isInteger(count) || count < least || count > most)
    throw new UsageError('bad-count', `Cannot use ${name} ${count}: expected a whole number from ${least} to ${most}`);
  return count;
}
