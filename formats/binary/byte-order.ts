import { endianness } from 'node:os';

// Files, frames and guests hold little-endian numbers; typed arrays hold numbers in the host's order. These functions
// convert where one is a view of the other; on little-endian hosts they do nothing.

const HOST = endianness();

/** Indices of the low and the high half of an 8-byte number, seen as two words of the host. */
export const [LOW_WORD, HIGH_WORD] = HOST === 'BE' ? [1, 0] : [0, 1];

/** Turns little-endian numbers of 4 bytes into the host's order, or back, in place; returns the same bytes. */
export function swapWords<T extends Uint8Array>(bytes: T, order = HOST): T {
  if (order === 'BE') asBuffer(bytes).swap32();
  return bytes;
}

/** Turns little-endian numbers of 8 bytes into the host's order, or back, in place; returns the same bytes. */
export function swapLongs<T extends Uint8Array>(bytes: T, order = HOST): T {
  if (order === 'BE') asBuffer(bytes).swap64();
  return bytes;
}

/** The little-endian bytes of the host's numbers; borrowed if the host is little-endian, else a copy. */
export function bytesOfLongs(longs: BigUint64Array | Uint32Array, order = HOST): Uint8Array {
  const bytes = bytesOf(longs);
  return order === 'BE' ? swapLongs(bytes.slice(), order) : bytes;
}

/** As `bytesOfLongs`, of numbers of 4 bytes. */
export function bytesOfWords(words: Uint32Array, order = HOST): Uint8Array {
  const bytes = bytesOf(words);
  return order === 'BE' ? swapWords(bytes.slice(), order) : bytes;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
