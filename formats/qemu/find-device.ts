import { AFTER_NAME, BEFORE_NAME, PartType } from './constants.ts';
import { type DescribedDevice, sizeOf } from './description.ts';

const FOOTER = 5;

/**
 * Searches a device's section among unreadable bytes, by its name and instance. At the end of its body, whose size the
 * description tells, there must be a mark with the section's id; in a stream without marks, another section or the end
 * of the stream. @returns indices of the section, of its body, and of the body's end
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
