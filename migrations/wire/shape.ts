import { FormatError } from '../../formats/errors.ts';

/**
 * Checks a value that a peer has sent, and gives what is known of it and nothing else. `at` is its place in the
 * message, for the error.
 */
export type Shape<T> = (value: unknown, at: string) => T;
/** The type of values that a shape accepts. */
export type ShapeValue<S> = S extends Shape<infer T> ? T : never;

function refuse(at: string, expected: string): never {
  throw new FormatError('bad-message', `Cannot read message: ${at} is not ${expected}`, { field: at });
}

export function integer(min: number, max: number): Shape<number> {
  return (value, at) =>
    Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max
      ? Number(value)
      : refuse(at, `a number from ${min} to ${max}`);
}

export function text(limit: number): Shape<string> {
  return (value, at) =>
    typeof value === 'string' && value.length <= limit ? value : refuse(at, `text of at most ${limit} characters`);
}

/** For what older versions do not tell. */
export function withDefault<T>(of: Shape<T>, otherwise: T): Shape<T> {
  return (value, at) => (value === undefined ? otherwise : of(value, at));
}

/** Bytes as hexadecimal text. */
export function hexText(bytes: number): Shape<string> {
  return (value, at) =>
    typeof value === 'string' && value.length === bytes * 2 && /^[0-9a-f]*$/.test(value)
      ? value
      : refuse(at, `${bytes} bytes as hexadecimal text`);
}

export function bytes(limit: number): Shape<Uint8Array> {
  return (value, at) =>
    value instanceof Uint8Array && value.length <= limit ? value : refuse(at, `at most ${limit} bytes`);
}

export const flag: Shape<boolean> = (value, at) => (typeof value === 'boolean' ? value : refuse(at, 'true or false'));

export function oneOf<const T extends string>(...names: T[]): Shape<T> {
  return (value, at) => names.find((name) => name === value) ?? refuse(at, `one of ${names.join(', ')}`);
}

export function list<T>(of: Shape<T>, limit: number): Shape<T[]> {
  return (value, at) =>
    Array.isArray(value) && value.length <= limit
      ? value.map((item, i) => of(item, `${at}[${i}]`))
      : refuse(at, `a list of at most ${limit}`);
}

export function record<const F extends Record<string, Shape<unknown>>>(
  fields: F,
): Shape<{ -readonly [K in keyof F]: ShapeValue<F[K]> }> {
  return (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(at, 'a record');
    const entries = Object.entries(fields).map(([key, shape]) => [
      key,
      shape((value as Record<string, unknown>)[key], at === '' ? key : `${at}.${key}`),
    ]);
    return Object.fromEntries(entries);
  };
}
