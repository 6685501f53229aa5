import { PartType } from './constants.ts';
import type { DescribedPart } from './description.ts';

/** A single field of a device, found by the description. */
export interface DeviceField {
  /** Path of the field, such as `env.regs[3]` or `cpu/poll_control_msr.env.poll_control_msr`. */
  path: string;
  type: string;
  /** Offset in the body of the section. */
  offset: number;
  size: number;
}

/** Yields all fields of a device in the order of the stream; structs as their parts, arrays of bytes as a whole. */
export function* fieldsOf(device: DescribedPart): Generator<DeviceField> {
  yield* within(device, '', 0);
}

function* within(
  { fields, subsections }: DescribedPart,
  prefix: string,
  start: number,
): Generator<DeviceField, number> {
  let offset = start;
  for (const field of fields) {
    for (let i = 0; i < field.count; i++) {
      const path = `${prefix}${field.name}${field.count > 1 ? `[${i}]` : ''}`;
      if (field.struct) yield* within(field.struct, `${path}.`, offset);
      else yield { path, type: field.type, offset, size: field.size };
      offset += field.size;
    }
  }
  for (const part of subsections) offset = yield* within(part, `${part.name}.`, offset + 1 + 1 + part.name.length + 4);
  return offset;
}

/** The value of a field as people read it: a number, or hexadecimal bytes. */
export function fieldValue(body: Uint8Array, { type, offset, size }: DeviceField): bigint | string {
  const bytes = body.subarray(offset, offset + size);
  if (!/^(u?int(8|16|32|64)( equal)?|bool|timer)$/.test(type) || ![1, 2, 4, 8].includes(size))
    return Buffer.from(bytes).toString('hex');
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return /^int/.test(type) ? BigInt.asIntN(8 * size, value) : value;
}

/** A subsection by the description, with the expected offset of its head in the body of the section. */
interface SubsectionHead {
  name: string;
  version: number | undefined;
  at: number;
}

/** Yields the heads of all subsections of a device, in the order of the stream. */
function* headsOf({ fields, subsections }: DescribedPart, start: number): Generator<SubsectionHead, number> {
  let offset = start;
  for (const field of fields)
    for (let i = 0; i < field.count; i++) {
      if (field.struct) yield* headsOf(field.struct, offset);
      offset += field.size;
    }
  for (const part of subsections) {
    yield { name: part.name, version: part.version, at: offset };
    offset = yield* headsOf(part, offset + 1 + 1 + part.name.length + 4);
  }
  return offset;
}

/**
 * The first subsection whose head is not at the place that follows from the description; undefined if there is none.
 */
export function misplacedSubsection(device: DescribedPart, body: Uint8Array): SubsectionHead | undefined {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  for (const head of headsOf(device, 0)) {
    const { name, version, at } = head;
    const end = at + 2 + name.length;
    const isThere =
      end + 4 <= text.length &&
      text[at] === PartType.SUBSECTION &&
      text[at + 1] === name.length &&
      text.toString('latin1', at + 2, end) === name;
    if (!isThere || (version !== undefined && text.readUInt32BE(end) !== version)) return head;
  }
  return undefined;
}
