import { checkJson } from './json-limits.ts';
import { checkShape, type Shape } from './shape.ts';

/** Longer texts are checked before they are parsed: a list of lists takes a hundred times its size in memory. */
const CHECKED_LENGTH = 65_536;
const LIMITS = { values: 4_000_000, depth: 200 };

/**
 * Parses JSON from outside; a shape has to check the value.
 * @param refuse makes the error to throw from a reason
 */
export function parseJson(text: string, refuse: (why: string) => Error): unknown {
  if (text.length > CHECKED_LENGTH) checkJson(Buffer.from(text), LIMITS, refuse);
  try {
    return JSON.parse(text);
  } catch {
    throw refuse('it is not JSON');
  }
}

/** Parses JSON from outside and checks its shape. @param refuse as of `checkShape` */
export function readJson<T>(text: string, shape: Shape<T>, refuse: (why: string, field?: string) => Error): T {
  return checkShape(parseJson(text, refuse), shape, refuse);
}

/** Parses JSON from outside; undefined if the text is not JSON of the shape. */
export function jsonOf<T>(text: string, shape: Shape<T>): T | undefined {
  try {
    return readJson(text, shape, (why) => new Error(why));
  } catch {
    return undefined;
  }
}
