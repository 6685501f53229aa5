import { FormatError, UnsupportedError } from '../errors.ts';

/** One field of a device as the description has it. */
export interface DescribedField {
  /** QEMU's name; elements of arrays have `[index]` after it. */
  name: string;
  /** Such as `uint64`, `buffer`, `struct`. */
  type: string;
  /** Bytes of one element. */
  size: number;
  /** Elements, one after the other. */
  count: number;
  /** The parts of a struct, of each element alike. */
  struct: DescribedPart | undefined;
}

/** Fields and subsections, as they stand in the stream. */
export interface DescribedPart {
  /** Name of the device, the struct or the subsection. */
  name: string;
  /** Version of the layout; undefined where none is told, as of devices that are described as bytes only. */
  version: number | undefined;
  /** In the order of the stream. */
  fields: DescribedField[];
  /** Optional parts that this stream has, after all fields. */
  subsections: DescribedPart[];
}

/** One device, as the description has it. */
export interface DescribedDevice extends DescribedPart {
  /** Tells devices of one name apart. */
  instance: number;
}

/** The description at the end of a stream: which devices it holds, field by field. */
export interface StreamDescription {
  /** Bytes of a page of the guest, where it is told. */
  pageSize: number | undefined;
  /** In the order of the stream. */
  devices: DescribedDevice[];
}

/** Descriptions of 30 to 100 KB have been seen. */
export const MAX_DESCRIPTION = 16 * 1024 * 1024;
const MAX_DEPTH = 32;
const MAX_ENTRIES = 100_000;

/** @throws FormatError `bad-description` for what is no description, UnsupportedError beyond the limits */
export function parseDescription(json: Uint8Array): StreamDescription {
  if (json.length > MAX_DESCRIPTION)
    throw new UnsupportedError('too-long', `Cannot read description: it has more than ${MAX_DESCRIPTION} bytes`);
  checkDepth(json);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch {
    throw bad('it is no JSON');
  }
  const { devices, page_size: pageSize } = record(value, 'the description');
  const reader = new Reader();
  return {
    pageSize: typeof pageSize === 'number' ? pageSize : undefined,
    devices: list(devices, 'devices').map((each) => reader.device(record(each, 'a device'))),
  };
}

/** Bytes that a part takes in the stream. */
export function sizeOf({ fields, subsections }: Pick<DescribedPart, 'fields' | 'subsections'>): number {
  let size = 0;
  for (const field of fields) size += field.size * field.count;
  for (const part of subsections) size += 1 + 1 + part.name.length + 4 + sizeOf(part);
  return size;
}

class Reader {
  #entries = 0;

  device(device: Record<string, unknown>): DescribedDevice {
    return {
      ...this.#part(device, text(device.name, 'the name of a device')),
      instance: count(device.instance_id, 'the instance of a device'),
    };
  }

  #part(part: Record<string, unknown>, name: string): DescribedPart {
    return {
      name,
      version: part.version === undefined ? undefined : count(part.version, `the version of ${name}`),
      fields: numbered(
        list(part.fields ?? [], `the fields of ${name}`).map((each) => this.#field(record(each, `a field of ${name}`))),
      ),
      subsections: list(part.subsections ?? [], `the subsections of ${name}`).map((each) => {
        const subsection = record(each, `a subsection of ${name}`);
        return this.#part(subsection, text(subsection.vmsd_name, `the name of a subsection of ${name}`));
      }),
    };
  }

  #field(field: Record<string, unknown>): DescribedField {
    if (++this.#entries > MAX_ENTRIES)
      throw new UnsupportedError('too-long', `Cannot read description: it has more than ${MAX_ENTRIES} fields`);
    const name = text(field.name, 'the name of a field');
    const size = count(field.size, `the size of ${name}`);
    const index = field.index === undefined ? '' : `[${count(field.index, `the index of ${name}`)}]`;
    const struct =
      field.struct === undefined ? undefined : this.#part(record(field.struct, `the parts of ${name}`), name);
    return {
      name: `${name}${index}`,
      type: text(field.type, `the type of ${name}`),
      size,
      count: field.array_len === undefined ? 1 : count(field.array_len, `the elements of ${name}`),
      struct,
    };
  }
}

const INDEXED = /^(.*)\[(\d+)\]$/;

/** Of the elements of an array, QEMU 10 numbers the first one only; those that follow it have its bare name. */
function numbered(fields: DescribedField[]): DescribedField[] {
  let last: RegExpExecArray | null = null;
  for (const field of fields) {
    if (last && field.name === last[1]) field.name = `${last[1]}[${Number(last[2]) + 1}]`;
    last = INDEXED.exec(field.name);
  }
  return fields;
}

/** Before it is parsed, which takes many times its bytes. */
function checkDepth(json: Uint8Array): void {
  let depth = 0;
  let opened = 0;
  let inText = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inText) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x7b || byte === 0x5b) {
      // Each field is an object; one with parts has lists besides.
      if (++opened > 4 * MAX_ENTRIES)
        throw new UnsupportedError('too-long', `Cannot read description: it has more than ${MAX_ENTRIES} fields`);
      if (++depth > 4 * MAX_DEPTH)
        throw new UnsupportedError('too-deep', `Cannot read description: it is nested more than ${4 * MAX_DEPTH} deep`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${what} is no object`);
  return value as Record<string, unknown>;
}

function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw bad(`${what} are no list`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw bad(`${what} is no text`);
  return value;
}

function count(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw bad(`${what} is no number`);
  return value;
}

function bad(what: string): FormatError {
  return new FormatError('bad-description', `Cannot read description: ${what}`);
}
