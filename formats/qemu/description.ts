import { FormatError, UnsupportedError } from '../errors.ts';
import { checkJson } from '../values/json-limits.ts';
import { readJson } from '../values/json-text.ts';
import { count, list, optional, record, text, withDefault } from '../values/shape.ts';

/** One described field of a device. */
export interface DescribedField {
  /** QEMU's name; elements of arrays have `[index]` after it. */
  name: string;
  /** Type of the field, such as `uint64`, `buffer`, `struct`. */
  type: string;
  /** Bytes of one element. */
  size: number;
  /** Elements, one after the other. */
  count: number;
  /** Array index of the first value, if it is told. */
  index: number | undefined;
  /** The parts of a struct, of each element alike. */
  struct: DescribedPart | undefined;
}

/** Fields and subsections, in the order of the stream. */
export interface DescribedPart {
  /** Name of the device, the struct or the subsection. */
  name: string;
  /** Name of the layout of a struct, if it is told; different structs may share one. */
  layout?: string | undefined;
  /** Version of the layout; undefined if it is not told, as for devices that are described as bytes only. */
  version: number | undefined;
  /** Fields in the order of the stream. */
  fields: DescribedField[];
  /** Optional parts that this stream has, after all fields. */
  subsections: DescribedPart[];
}

/** One described device. */
export interface DescribedDevice extends DescribedPart {
  /** Tells devices of one name apart. */
  instance: number;
  /** Name of the device's layout, such as `ide` of device `0000:00:01.1/ide`. */
  kind: string | undefined;
}

/** The description at the end of a stream: its devices, field by field. */
export interface StreamDescription {
  /** Bytes of a page of the guest, where it is told. */
  pageSize: number | undefined;
  /** Devices in the order of the stream. */
  devices: DescribedDevice[];
}

/** Maximum size, in bytes, of a description; 30 to 100 KB have been seen. */
export const MAX_DESCRIPTION = 16 * 1024 * 1024;
const MAX_ENTRIES = 100_000;
/** A field has four values or more; each level of parts has a list and an object. */
const LIMITS = { values: 8 * MAX_ENTRIES, depth: 128 };

const word = text(1024);

const fieldRecord = record({
  name: word,
  type: word,
  size: count,
  index: optional(count),
  array_len: withDefault(count, 1),
  struct: optional((value) => partOf(value, '')),
});
const partRecord = record({
  vmsd_name: optional(word),
  version: optional(count),
  fields: withDefault(list(fieldOf, MAX_ENTRIES), []),
  subsections: withDefault(list(subsectionOf, MAX_ENTRIES), []),
});
const subsectionName = record({ vmsd_name: word });
const deviceName = record({ name: word, instance_id: count, vmsd_name: optional(word) });
const descriptionShape = record({
  page_size: optional(count),
  devices: list(deviceOf, MAX_ENTRIES),
});

/** @throws FormatError `bad-description` for bad JSON or shape, UnsupportedError beyond the limits */
export function parseDescription(json: Uint8Array): StreamDescription {
  const tooLarge = (why: string) => new UnsupportedError('too-long', `Cannot read description: ${why}`);
  if (json.length > MAX_DESCRIPTION) throw tooLarge(`it has more than ${MAX_DESCRIPTION} bytes`);
  checkJson(json, LIMITS, tooLarge);
  const { page_size: pageSize, devices } = readJson(textOf(json), descriptionShape, bad);
  return { pageSize, devices };
}

function textOf(json: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(json);
  } catch {
    throw bad('it is not UTF-8');
  }
}

function deviceOf(value: unknown): DescribedDevice {
  const { name, instance_id: instance, vmsd_name: kind } = deviceName(value);
  return { ...partOf(value, name), instance, kind };
}

function subsectionOf(value: unknown): DescribedPart {
  return partOf(value, subsectionName(value).vmsd_name);
}

function partOf(value: unknown, name: string): DescribedPart {
  const { vmsd_name: layout, version, fields, subsections } = partRecord(value);
  return { name, layout, version, fields: numbered(fields), subsections };
}

function fieldOf(value: unknown): DescribedField {
  const { name, type, size, index, array_len: elements, struct } = fieldRecord(value);
  return {
    name: index === undefined ? name : `${name}[${index}]`,
    type,
    size,
    count: elements,
    index,
    struct: struct && { ...struct, name },
  };
}

/** Bytes that a part takes in the stream. */
export function sizeOf({ fields, subsections }: Pick<DescribedPart, 'fields' | 'subsections'>): number {
  let size = 0;
  for (const field of fields) size += field.size * field.count;
  for (const part of subsections) size += 1 + 1 + part.name.length + 4 + sizeOf(part);
  return size;
}

const INDEXED = /^(.*)\[(\d+)\]$/;

/** Numbers the elements of arrays: QEMU 10 numbers only the first one; those that follow it have its bare name. */
function numbered(fields: DescribedField[]): DescribedField[] {
  let last: RegExpExecArray | null = null;
  for (const field of fields) {
    if (last && field.name === last[1]) field.name = `${last[1]}[${Number(last[2]) + 1}]`;
    last = INDEXED.exec(field.name);
  }
  return fields;
}

function bad(why: string): FormatError {
  return new FormatError('bad-description', `Cannot read description: ${why}`);
}
