import { crc32, POLYNOMIAL } from '../../../formats/binary/crc32.ts';
import { Cursor } from '../../../formats/binary/cursor.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { Window } from '../../../formats/files/window.ts';
import { MIB } from '../../../formats/sizes.ts';
import type { ContainerHeader } from '../../../formats/ssm/container.ts';
import { fileHeaderV1 } from '../../../formats/ssm/layouts.ts';
import { findUnitHeader, isUnitHeaderV2 } from '../../../formats/ssm/resync.ts';
import { V1_CRC_START, V11_HEADER_SIZE, V12_HEADER_SIZE } from '../../../formats/ssm/v1-reader.ts';
import { FOOTER_SIZE, readFooter } from '../../../formats/ssm/v2-tail.ts';

/** A bit that, flipped back, gives a stretch of a file the CRC that the file claims. */
export interface FlippedBit {
  /** Offset of the byte in the file. */
  offset: number;
  /** Bit number; 0 is the lowest. */
  bit: number;
  /** Probability that some bit would fit by accident if the damage was of another kind. */
  chance: number;
}

/** Chance above which a fit counts only on the user's request, as in stretches of more than 256 KiB. */
export const BELIEVED_CHANCE = 0.0005;
/** Limit of that chance if other damage remains: it admits stretches of up to 5 KiB, such as device units. */
export const CERTAIN_CHANCE = 0.00001;
/** Longest stretch; in longer ones some bit fits by accident in more than one of eight cases. */
const STRETCH_LIMIT = 64 * MIB;
/** Offset of the CRC of all bytes before it, in a unit header and in the footer. */
const STREAM_CRC = 16;

/** A place up to which the file claims a CRC: a unit header with correct offset and CRC of its own. */
interface Checkpoint {
  offset: number;
  crc: number;
}

/**
 * Finds single flipped bits: in V2.0 files at most one between two intact unit headers, in V1.x files one in all. A
 * 32-bit CRC distinguishes all bits of up to 512 MiB, so if exactly one has flipped, the answer is right.
 */
export async function findFlippedBits(
  source: ByteSource,
  { format, streamCrc }: Pick<ContainerHeader, 'format' | 'streamCrc'>,
): Promise<FlippedBit[]> {
  if (format === '2.0' && !streamCrc) return [];
  const checkpoints = format === '2.0' ? await findCheckpoints(source) : await readCoverageV1(source, format);
  const flipped: FlippedBit[] = [];
  for (let i = 1; i < checkpoints.length; i++) {
    const bit = await findBetween(source, checkpoints[i - 1], checkpoints[i]);
    if (bit) flipped.push(bit);
  }
  return flipped;
}

/** Start and end of the bytes that the CRC of a V1.x file covers. */
async function readCoverageV1(source: ByteSource, format: '1.1' | '1.2'): Promise<Checkpoint[]> {
  const bytes = new Uint8Array(V11_HEADER_SIZE);
  await source.read(bytes, 0);
  const { fileSize, crc } = fileHeaderV1.read(new Cursor(bytes));
  const headerSize = format === '1.1' ? V11_HEADER_SIZE : V12_HEADER_SIZE;
  if (fileSize !== source.size || fileSize < headerSize) return [];
  return [
    { offset: V1_CRC_START, crc: 0 },
    { offset: V1_CRC_START + fileSize - headerSize, crc },
  ];
}

async function findCheckpoints(source: ByteSource): Promise<Checkpoint[]> {
  const checkpoints: Checkpoint[] = [{ offset: 0, crc: 0 }];
  const window = new Window(source);
  window.limitCrc(0, 0);
  while (await findUnitHeader(window, isUnitHeaderV2)) {
    checkpoints.push({ offset: window.offset, crc: window.view.getUint32(window.position + STREAM_CRC, true) });
    window.position++;
  }
  const footer = await readGoodFooter(source);
  if (footer) checkpoints.push(footer);
  return checkpoints;
}

async function readGoodFooter(source: ByteSource): Promise<Checkpoint | undefined> {
  const offset = (source.size ?? 0) - FOOTER_SIZE;
  const bytes = new Uint8Array(FOOTER_SIZE);
  if (offset < 0 || (await source.read(bytes, offset)) < FOOTER_SIZE) return undefined;
  let isGood = true;
  const { streamCrc } = readFooter(bytes, offset, true, () => {
    isGood = false;
  });
  return isGood ? { offset, crc: streamCrc } : undefined;
}

async function findBetween(source: ByteSource, start: Checkpoint, end: Checkpoint): Promise<FlippedBit | undefined> {
  const size = end.offset - start.offset;
  const chunk = new Uint8Array(Math.min(size, MIB));
  let { crc } = start;
  for (let at = start.offset; at < end.offset; at += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, end.offset - at));
    if ((await source.read(part, at)) < part.length) return undefined;
    crc = crc32(part, crc);
  }
  if (crc === end.crc || size > STRETCH_LIMIT) return undefined;
  const fromEnd = stepsTo(crc ^ end.crc, size * 8);
  if (fromEnd === undefined) return undefined;
  return {
    offset: end.offset - 1 - Math.floor((fromEnd - 1) / 8),
    bit: 7 - ((fromEnd - 1) % 8),
    chance: (size * 8) / 2 ** 32,
  };
}

/** Distance of a flipped bit from the end, in bits counted from 1; undefined if it is none of the last `limit`. */
function stepsTo(difference: number, limit: number): number | undefined {
  let register = 1;
  for (let steps = 1; steps <= limit; steps++) {
    register = (register >>> 1) ^ (-(register & 1) & POLYNOMIAL);
    if (register === difference) return steps;
  }
  return undefined;
}

/** A source with some bits inverted. */
export function flipBits(source: ByteSource, bits: readonly FlippedBit[]): ByteSource {
  return {
    name: source.name,
    size: source.size,
    seekable: source.seekable,
    close: () => source.close(),
    read: async (target, position) => {
      const count = await source.read(target, position);
      for (const { offset, bit } of bits)
        if (offset >= position && offset < position + count) target[offset - position] ^= 1 << bit;
      return count;
    },
  };
}
