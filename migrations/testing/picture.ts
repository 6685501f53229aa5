import { inflateSync } from 'node:zlib';

/** A picture: three bytes a pixel, red first, line by line. */
export interface Picture {
  width: number;
  height: number;
  pixels: Uint8Array;
}

const SIGNATURE_SIZE = 8;
const CHUNK_FRAME = 12;
/** Colour types of PNG: bytes a pixel. */
const CHANNELS: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

/** Decodes a PNG of 8 bits a channel, without a palette and not interlaced. Source: PNG specification, section 9. */
export function readPng(bytes: Buffer): Picture {
  const chunks: { type: string; data: Buffer }[] = [];
  for (let at = SIGNATURE_SIZE; at < bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    chunks.push({ type: bytes.toString('latin1', at + 4, at + 8), data: bytes.subarray(at + 8, at + 8 + size) });
    at += CHUNK_FRAME + size;
  }
  const header = chunks[0].data;
  const [width, height, channels] = [header.readUInt32BE(0), header.readUInt32BE(4), CHANNELS[header[9]]];
  const data = inflateSync(Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map((chunk) => chunk.data)));
  const pixels = new Uint8Array(3 * width * height);
  let above = new Uint8Array(width * channels);
  for (let y = 0; y < height; y++) {
    const start = y * (above.length + 1);
    const line = unfiltered(data[start], data.subarray(start + 1, start + 1 + above.length), above, channels);
    for (let x = 0; x < width; x++) pixels.set(line.subarray(x * channels, x * channels + 3), 3 * (y * width + x));
    above = line;
  }
  return { width, height, pixels };
}

/** A line as it was before its filter, which foretells each byte from those to the left and above. */
function unfiltered(filter: number, line: Uint8Array, above: Uint8Array, channels: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(line.length);
  for (const [i, value] of line.entries()) {
    const [a, b, c] = [bytes[i - channels] ?? 0, above[i], above[i - channels] ?? 0];
    bytes[i] = value + [0, a, b, (a + b) >> 1, nearest(a, b, c)][filter];
  }
  return bytes;
}

/** The one of three that is nearest to the sum of the first two less the third. */
function nearest(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

/** Decodes what QEMU's `screendump` writes: PPM, with three words before the pixels. */
export function readPpm(bytes: Buffer): Picture {
  const [head, width, height] = /^P6\s+(\d+)\s+(\d+)\s+\d+\s/.exec(bytes.toString('latin1', 0, 64)) ?? [''];
  return { width: Number(width), height: Number(height), pixels: bytes.subarray(head.length) };
}
