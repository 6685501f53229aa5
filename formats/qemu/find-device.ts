import { PartType } from './constants.ts';
import { type DescribedDevice, sizeOf } from './description.ts';

/** Type, id, length of the name; instance and version. */
const BEFORE_NAME = 6;
const AFTER_NAME = 8;
const FOOTER = 5;

/**
 * Looks for the section of a device between others that can't be read: its name and instance, and where its body ends
 * by the description the mark with the id that stands before the name; in a stream without marks, what may follow a
 * section. @returns indices of the section, of its body, and of its body's end
 */
export function findDevice(
  bytes: Uint8Array,
  device: DescribedDevice,
  hasMarks: boolean,
): { at: number; bodyAt: number; end: number } | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { name, instance } = device;
  for (let nameAt = text.indexOf(name, 0, 'latin1'); nameAt >= 0; nameAt = text.indexOf(name, nameAt + 1, 'latin1')) {
    const bodyAt = nameAt + name.length + AFTER_NAME;
    const end = bodyAt + sizeOf(device);
    if (nameAt < BEFORE_NAME || end + (hasMarks ? FOOTER : 1) > text.length) continue;
    const isHead = text[nameAt - 1] === name.length && text.readUInt32BE(bodyAt - AFTER_NAME) === instance;
    const isEnd = hasMarks
      ? text[end] === PartType.FOOTER && text.readUInt32BE(end + 1) === text.readUInt32BE(nameAt - 5)
      : text[end] === PartType.FULL || text[end] === PartType.END_MARK;
    if (isHead && isEnd) return { at: nameAt - BEFORE_NAME, bodyAt, end };
  }
  return undefined;
}
