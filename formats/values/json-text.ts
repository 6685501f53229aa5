import { checkShape, type Shape } from './shape.ts';

/**
 * The value that a JSON text from outside stands for; a shape has to check it.
 * @param refuse makes the error to throw, of the reason
 */
export function parseJson(text: string, refuse: (why: string) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refuse('it is not JSON');
  }
}

/** A JSON text from outside that has to be of a shape. @param refuse as of `checkShape` */
export function readJson<T>(text: string, shape: Shape<T>, refuse: (why: string, field?: string) => Error): T {
  return checkShape(parseJson(text, refuse), shape, refuse);
}

/** The same; undefined for all that is not of the shape. */
export function jsonOf<T>(text: string, shape: Shape<T>): T | undefined {
  try {
    return readJson(text, shape, (why) => new Error(why));
  } catch {
    return undefined;
  }
}
