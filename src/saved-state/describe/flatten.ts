import { createHash } from 'node:crypto';
import { hex } from '../../../formats/errors.ts';

/** Decoded values of a state by name, such as `cpus[0].registers.rip`, as text. */
export type Fields = Map<string, string>;

/** Names of numbers that people read as addresses. */
const ADDRESSES = /(^|\.)(address|start)$/;

/** Adds all values in `value`, by their paths below `name`. @param leftOut beginnings of paths to leave out */
export function flatten(value: unknown, name: string, fields: Fields, leftOut: readonly string[] = []): void {
  if (leftOut.some((prefix) => name.startsWith(prefix))) return;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) flatten(item, `${name}[${i}]`, fields, leftOut);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value))
      flatten(item, name === '' ? key : `${name}.${key}`, fields, leftOut);
  } else if (value !== undefined) fields.set(name, textOf(value, name));
}

function textOf(value: unknown, name: string): string {
  const isAddress = typeof value === 'bigint' || (typeof value === 'number' && ADDRESSES.test(name));
  return isAddress ? hex(value) : String(value);
}

/** Amount and hash of a text that is too long for people, in its place. @param amount such as `20 runs` */
export function textSummary(amount: string, text: string): string {
  return `${amount}, SHA-256 ${createHash('sha256').update(text).digest('hex')}`;
}
