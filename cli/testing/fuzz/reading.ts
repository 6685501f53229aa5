import { OutOfBytes } from '../../../formats/binary/cursor.ts';
import { SavkitError } from '../../../formats/errors.ts';

/**
 * Reads an input. @returns the result; undefined where the reader refuses it as it should (SavkitError, OutOfBytes).
 * Other errors are thrown, and so found.
 */
export async function reading<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    return refused(error);
  }
}

/** As `reading`, for readers that wait for nothing. */
export function readingNow<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): undefined {
  if (error instanceof SavkitError || error instanceof OutOfBytes) return undefined;
  throw error;
}

/** @throws Error with both values, where they differ */
export function expectSame(what: string, one: unknown, other: unknown): void {
  const [first, second] = [one, other].map((value) => (Buffer.isBuffer(value) ? value.toString('hex') : textOf(value)));
  if (first !== second) throw new Error(`${what}: ${first.slice(0, 500)} is not ${second.slice(0, 500)}`);
}

/** One text for values that are equal. */
export function textOf(value: unknown): string {
  return (
    JSON.stringify(value, (_, each) => {
      if (typeof each === 'bigint') return `${each}n`;
      if (each instanceof Map) return [...each];
      if (each instanceof Uint8Array) return Buffer.from(each).toString('hex');
      if (typeof each === 'number' && !Number.isFinite(each)) return `${each}`;
      return each;
    }) ?? 'undefined'
  );
}
