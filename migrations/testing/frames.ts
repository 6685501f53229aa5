// Frames and lines as the specification writes them, byte by byte, with no code in common with the codec under test.

/** A frame: `05 12 47 19`, the length, the content. */
export function frame(content: Uint8Array): Buffer {
  const head = Buffer.from([0x05, 0x12, 0x47, 0x19, 0, 0, 0, 0]);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

export const END_MARKER = Buffer.from('0512471900000000', 'hex');
export const CANCEL_MARKER = Buffer.from('05124719ffffffff', 'hex');

/** A stream in frames of `size` bytes, without its end marker. */
export function framesOf(stream: Uint8Array, size: number): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < stream.length; at += size) frames.push(frame(stream.subarray(at, at + size)));
  return frames;
}

/** The stream inside of frames, up to the end marker. */
export function unframe(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const size = bytes.readUInt32LE(at + 4);
    if (bytes.readUInt32LE(at) !== 0x19471205) throw new Error(`no frame at ${at}`);
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
}

/** Section 9 of the vectors: the line for the password `secret`. */
export const SECRET_LINE =
  '#SHA-512##bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2';
