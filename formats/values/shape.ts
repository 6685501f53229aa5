// Values from outside (JSON of files and sockets, MessagePack of peers) are `unknown` until a shape has checked them.

/** Checks a value, and returns its known parts only. @throws WrongShape */
export type Shape<T> = (value: unknown) => T;
/** The type of values that a shape accepts. */
export type ShapeValue<S> = S extends Shape<infer T> ? T : never;

/** A value is not as expected; `checkShape` turns this into the caller's error. */
class WrongShape extends Error {
  /** Place in the checked value, such as `rounds[2].bytes`; empty for that value itself. */
  field = '';

  /** Adds the part of an outer value that holds the place. */
  in(part: string): this {
    this.field = this.field === '' || this.field.startsWith('[') ? part + this.field : `${part}.${this.field}`;
    return this;
  }
}

/** Characters of a name that an error shows. */
const SHOWN = 40;

/**
 * Checks a value from outside.
 * @param refuse makes the error to throw, from the reason, such as `rounds[2].bytes is not a whole number from 0 to 9`,
 * and the field, which is empty for the value as a whole
 */
export function checkShape<T>(value: unknown, shape: Shape<T>, refuse: (why: string, field: string) => Error): T {
  try {
    return shape(value);
  } catch (error) {
    if (!(error instanceof WrongShape)) throw error;
    throw refuse(`${error.field === '' ? 'it' : error.field} is not ${error.message}`, error.field);
  }
}

/** Values that pass a test. @param expected completes "… is not" */
export function kind<T>(is: (value: unknown) => value is T, expected: string): Shape<T> {
  return (value) => {
    if (is(value)) return value;
    throw new WrongShape(expected);
  };
}

/** Values of a shape for which a condition holds. @param expected completes "… is not" */
export function such<T>(of: Shape<T>, holds: (value: T) => boolean, expected: string): Shape<T> {
  return (value) => {
    const known = of(value);
    if (holds(known)) return known;
    throw new WrongShape(expected);
  };
}

/**
 * Values made from those of a shape. @param make gives undefined for a value that it cannot use @param expected
 * completes "… is not"
 */
export function made<T, U>(of: Shape<T>, make: (value: T) => U | undefined, expected: string): Shape<U> {
  return (value) => {
    const result = make(of(value));
    if (result === undefined) throw new WrongShape(expected);
    return result;
  };
}

/** Any value, for those that are only passed on, or checked elsewhere. */
export const anything: Shape<unknown> = (value) => value;

export const flag = kind((value) => typeof value === 'boolean', 'true or false');

/** A number, infinities and NaN excluded. */
export const number = kind((value): value is number => Number.isFinite(value), 'a number');

/** A whole number of at least 0: a size, an offset, a count. */
export const count = integer(0, Number.MAX_SAFE_INTEGER);

/** Milliseconds since 1970 as the clock of a host told them, which may be set to any time. */
export const clockTime = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** A whole number; both ends belong to the range. */
export function integer(min: number, max: number): Shape<number> {
  return kind(
    (value): value is number => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`,
  );
}

/** @param limit maximum number of characters */
export function text(limit: number): Shape<string> {
  return kind(
    (value): value is string => typeof value === 'string' && value.length <= limit,
    `text of at most ${limit} characters`,
  );
}

/** @param limit maximum number of bytes */
export function bytes(limit: number): Shape<Uint8Array> {
  return kind(
    (value): value is Uint8Array => value instanceof Uint8Array && value.length <= limit,
    `at most ${limit} bytes`,
  );
}

/** Bytes as hexadecimal text in small letters. */
export function hexText(bytes: number): Shape<string> {
  return kind(
    (value): value is string => typeof value === 'string' && value.length === bytes * 2 && /^[0-9a-f]*$/.test(value),
    `${bytes} bytes as hexadecimal text`,
  );
}

export function oneOf<const T extends string>(...names: T[]): Shape<T> {
  return kind((value): value is T => names.includes(value as T), `one of ${names.join(', ')}`);
}

/** A value with a default, for fields that older versions lack. */
export function withDefault<T>(of: Shape<T>, otherwise: T): Shape<T> {
  return (value) => (value === undefined ? otherwise : of(value));
}

/** A value that is replaced if it is wrong. */
export function orElse<T>(of: Shape<T>, otherwise: T): Shape<T> {
  return (value) => {
    try {
      return of(value);
    } catch (error) {
      if (error instanceof WrongShape) return otherwise;
      throw error;
    }
  };
}

/** A value that may be absent, or null in JSON. */
export function optional<T>(of: Shape<T>): Shape<T | undefined> {
  return (value) => (value === undefined || value === null ? undefined : of(value));
}

export function orNull<T>(of: Shape<T>): Shape<T | null> {
  return (value) => (value === null ? null : of(value));
}

export function list<T>(of: Shape<T>, limit: number): Shape<T[]> {
  const items = kind(
    (value): value is unknown[] => Array.isArray(value) && value.length <= limit,
    `a list of at most ${limit}`,
  );
  return (value) => items(value).map((item, i) => inPart(`[${i}]`, of, item));
}

/** An object with any names. */
export const object = kind(
  (value): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value),
  'an object',
);

/** An object with any names, and values of one shape. */
export function mapOf<T>(of: Shape<T>): Shape<Record<string, T>> {
  return (value) =>
    Object.fromEntries(Object.entries(object(value)).map(([key, each]) => [key, inPart(key, of, each)]));
}

/** Fields that may be undefined may be left out of a literal. */
type Fields<F> = { -readonly [K in keyof F as undefined extends ShapeValue<F[K]> ? never : K]: ShapeValue<F[K]> } & {
  -readonly [K in keyof F as undefined extends ShapeValue<F[K]> ? K : never]?: ShapeValue<F[K]>;
};

/** An object with these fields; other fields are dropped. */
export function record<const F extends Record<string, Shape<unknown>>>(fields: F): Shape<Fields<F>> {
  const shapes = Object.entries(fields);
  return (value) => {
    const given = object(value);
    const known: Record<string, unknown> = {};
    // Own fields only: `__proto__` may be the name of a field, and inherited values were not sent.
    for (const [key, of] of shapes) known[key] = inPart(key, of, Object.hasOwn(given, key) ? given[key] : undefined);
    return known as Fields<F>;
  };
}

/** An object with these fields and no others. */
export function exact<const F extends Record<string, Shape<unknown>>>(fields: F): Shape<Fields<F>> {
  const known = record(fields);
  return (value) => {
    for (const key of Object.keys(object(value)))
      if (!Object.hasOwn(fields, key)) throw new WrongShape('a field that is known here').in(key.slice(0, SHOWN));
    return known(value);
  };
}

/** Objects of several kinds, told apart by the field `tag`. */
export function oneKind<const V extends Record<string, Shape<object>>, const K extends string>(
  tag: K,
  kinds: V,
): Shape<{ [N in keyof V & string]: { [T in K]: N } & ShapeValue<V[N]> }[keyof V & string]> {
  const name = oneOf(...Object.keys(kinds));
  return (value) => {
    const { [tag]: given, ...rest } = object(value);
    const known = inPart(tag, name, given);
    return { [tag]: known, ...kinds[known](rest) } as ReturnType<ReturnType<typeof oneKind<V, K>>>;
  };
}

function inPart<T>(part: string, of: Shape<T>, value: unknown): T {
  try {
    return of(value);
  } catch (error) {
    throw error instanceof WrongShape ? error.in(part) : error;
  }
}
