import { FormatError } from '../errors.ts';
import { type Cursor, WIDE, type Widths } from './cursor.ts';
import type { Kind, ValuePart } from './kinds.ts';
import type { Writer } from './writer.ts';

/** A kind that depends on the fields before it, or on the version. */
export type DependentKind<T> = (before: never, version: number) => Kind<T>;

/** One field of a layout. */
export interface Field<T> {
  /** Encoding in the file. */
  kind: Kind<T> | DependentKind<T>;
  /** Meaning, for the tables of FORMAT.md. */
  doc: string;
  /** First unit version that has the field. */
  since?: number;
  /** Last unit version that has the field. */
  until?: number;
  /** The value of the field in versions that lack it. */
  absent?: T;
}

type Fields = Record<string, Field<never> | Field<unknown>>;
type ValueOf<F> = F extends {
  kind: { read(cursor: Cursor): infer T } | ((...before: never[]) => { read(cursor: Cursor): infer T });
}
  ? T
  : never;
/** The plain record that a declaration describes; markers are checked but not part of it. */
export type Infer<F> = { -readonly [K in keyof F as ValueOf<F[K]> extends void ? never : K]: ValueOf<F[K]> };

/** The record type of a declared layout. */
export type StructValue<S> = S extends Struct<infer T> ? T : never;

/** A binary layout, declared once: reader, writer and the table in FORMAT.md come from it. */
export interface Struct<T> {
  /** As the tables of FORMAT.md name the layout. */
  readonly name: string;
  /** Page of docs/spec, or symbol of the source, that the layout is known from. */
  readonly source: string;
  /** Fields by name, in the order of the file. */
  readonly fields: Record<string, Field<unknown>>;
  /** Offset of each field in bytes, in the widest form, with all fields. NaN after a text. */
  readonly offsets: Readonly<Record<keyof T & string, number>>;
  /** Bytes that the layout takes; NaN with text in it. */
  size(version?: number, widths?: Widths): number;
  /** Reads a record. @param version of the unit; 0 by default @throws FormatError with `place.field`, OutOfBytes */
  read(cursor: Cursor, version?: number): T;
  /** Appends a record. @param version of the unit; 0 by default */
  write(writer: Writer, value: T, version?: number): void;
  /** The fields of a value, in file order. */
  parts(value: T, version?: number): readonly ValuePart[];
}

/** Declares a layout. @param source as of `Struct` @param fields in the order of the file */
export function defineStruct<const F extends Fields>(name: string, source: string, fields: F): Struct<Infer<F>> {
  return structOf<Infer<F>>(name, source, fields as Record<string, Field<unknown>>);
}

/** The layout of records `T`, whose fields must be those of `fields`. */
function structOf<T>(name: string, source: string, fields: Record<string, Field<unknown>>): Struct<T> {
  const entries = Object.entries(fields);
  return {
    name,
    source,
    fields,
    offsets: offsetsOf(entries) as Record<keyof T & string, number>,
    size(version = 0, widths = WIDE) {
      return entries.reduce((sum, [, field]) => (isIn(field, version) ? sum + sizeOf(field, widths) : sum), 0);
    },
    read(cursor, version = 0) {
      const value: Record<string, unknown> = {};
      for (const [key, field] of entries) {
        const read = isIn(field, version) ? readField(kindOf(field, value, version), cursor, key) : field.absent;
        if (read !== undefined) value[key] = read;
      }
      return value as T;
    },
    write(writer, value, version = 0) {
      const record = value as Record<string, unknown>;
      for (const [key, field] of entries)
        if (isIn(field, version)) kindOf(field, record, version).write(writer, record[key]);
    },
    parts(value, version = 0) {
      const record = value as Record<string, unknown>;
      const present = entries.filter(([, field]) => isIn(field, version));
      return present.map(([name, field]) => ({
        name,
        doc: field.doc,
        kind: kindOf(field, record, version),
        value: record[name],
      }));
    },
  };
}

/** The start of a layout, up to and with one field. Nothing in it may depend on a field after it. */
export function startOf<T, const K extends keyof T & string>(
  layout: Struct<T>,
  last: K,
): Struct<Pick<T, K> & Partial<T>> {
  const entries = Object.entries(layout.fields);
  const count = entries.findIndex(([name]) => name === last) + 1;
  const fields = Object.fromEntries(entries.slice(0, count));
  return structOf(`Start of ${layout.name}`, layout.source, fields);
}

function offsetsOf(entries: readonly (readonly [string, Field<unknown>])[]): Record<string, number> {
  let offset = 0;
  return Object.fromEntries(
    entries.map(([name, { kind }]) => {
      const start = offset;
      offset += typeof kind === 'function' ? Number.NaN : kind.size(WIDE);
      return [name, start];
    }),
  );
}

function isIn(field: Field<unknown>, version: number): boolean {
  return version >= (field.since ?? 0) && version <= (field.until ?? Number.POSITIVE_INFINITY);
}

function kindOf(field: Field<unknown>, before: Record<string, unknown>, version: number): Kind<unknown> {
  return typeof field.kind === 'function' ? field.kind(before as never, version) : field.kind;
}

/** NaN if the size depends on other fields. */
function sizeOf({ kind }: Field<unknown>, widths: Widths): number {
  return typeof kind === 'function' ? Number.NaN : kind.size(widths);
}

function readField<T>(kind: Kind<T>, cursor: Cursor, field: string): T {
  try {
    return kind.read(cursor);
  } catch (error) {
    throw error instanceof FormatError ? error.at({ field }) : error;
  }
}
