import type { DescribedPart } from './description.ts';

/** A single field of a device, found by the description. */
export interface DeviceField {
  /** Such as `env.regs[3]` or `cpu/poll_control_msr.env.poll_control_msr`. */
  path: string;
  type: string;
  /** Where it stands in the body of the section. */
  offset: number;
  size: number;
}

/** Yields all fields of a device in the order of the stream; structs by their parts. Arrays of bytes stay whole. */
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
