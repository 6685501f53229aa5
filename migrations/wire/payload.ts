import { bytesOfLongs, swapLongs } from '../../formats/binary/byte-order.ts';
import { Cursor, OutOfBytes } from '../../formats/binary/cursor.ts';
import { Writer } from '../../formats/binary/writer.ts';
import { packMessage, unpackMessage } from '../../formats/values/message-pack.ts';
import { checkShape, type Shape } from '../../formats/values/shape.ts';
import { FRAME_HEADER_SIZE, FRAMES, type FrameHead, type FrameName, frameHeader, frameOfType } from './frames.ts';
import { MAX_NESTING, MAX_VALUES } from './limits.ts';
import { fromPeer, MigrationError } from './migration-error.ts';

/** A received frame; borrowed until the next one is read. */
export interface Frame {
  name: FrameName;
  payload: Uint8Array;
}

/**
 * Reads a frame's header. @throws MigrationError for bytes that are no header, unknown types, and lengths beyond the
 * type's limit
 */
export function readFrameHeader(bytes: Uint8Array): { name: FrameName; length: number } {
  const { type, length } = fromPeer(() => frameHeader.read(new Cursor(bytes, 0, FRAME_HEADER_SIZE)));
  const name = frameOfType(type);
  if (name === undefined)
    throw new MigrationError('unknown-frame', `Cannot read frame: its type is ${type}, which this side does not know`);
  const { limit } = FRAMES[name];
  if (length > limit)
    throw new MigrationError('frame-too-long', `Cannot read frame ${name}: ${length} bytes, expected at most ${limit}`);
  return { name, length };
}

const NO_BYTES = new Uint8Array(0);

/** A whole frame, header included; owned by the caller. */
export function encodeFrame<N extends FrameName>(
  name: N,
  head: FrameHead<N>,
  tail: Uint8Array | object = NO_BYTES,
): Uint8Array {
  const { type, head: struct } = FRAMES[name];
  const writer = new Writer(undefined, 64);
  struct.write(writer, head as never);
  const bytes = tail instanceof Uint8Array ? tail : packMessage(tail);
  const length = writer.length + bytes.length;
  const frame = new Uint8Array(FRAME_HEADER_SIZE + length);
  writeFrameHeader(frame, type, length);
  frame.set(writer.view(), FRAME_HEADER_SIZE);
  frame.set(bytes, FRAME_HEADER_SIZE + writer.length);
  return frame;
}

/** Puts a header in front of a payload that was built in place. */
export function writeFrameHeader(frame: Uint8Array, type: number, length: number): void {
  const writer = new Writer(undefined, FRAME_HEADER_SIZE);
  frameHeader.write(writer, { type, zero: 0, reserved: 0, length });
  frame.set(writer.view());
}

/**
 * The fixed part of a frame, and the bytes after it; borrowed. @throws MigrationError for a payload that does not fit
 * the frame's type
 */
export function readHead<N extends FrameName>({ payload }: Frame, name: N): { head: FrameHead<N>; tail: Uint8Array } {
  const { head, tail } = FRAMES[name];
  const cursor = new Cursor(payload);
  try {
    const value = fromPeer(() => head.read(cursor)) as FrameHead<N>;
    if (tail === 'none' && cursor.at < payload.length)
      throw new MigrationError(
        'frame-too-long',
        `Cannot read frame ${name}: ${payload.length} bytes, expected ${cursor.at}`,
      );
    return { head: value, tail: payload.subarray(cursor.at) };
  } catch (error) {
    throw error instanceof OutOfBytes ? shortFrame(name, payload.length) : error;
  }
}

export function shortFrame(name: FrameName, length: number): MigrationError {
  return new MigrationError('frame-too-short', `Cannot read frame ${name}: it ends after ${length} bytes`);
}

/** The message that a frame holds. @throws MigrationError for bytes that are no message, or one of another shape */
export function readMessage<T>(frame: Frame, shape: Shape<T>): T {
  const { tail } = readHead(frame, frame.name);
  return fromPeer(() =>
    checkShape(
      unpackMessage(tail, { values: MAX_VALUES, depth: MAX_NESTING }),
      shape,
      (why, field) =>
        new MigrationError('bad-message', `Cannot read message of frame ${frame.name}: ${why}`, { field }),
    ),
  );
}

/**
 * Hashes that end a frame: `count` of them, as pairs of words in the order of the host; owned. @throws MigrationError
 * when there are more or fewer bytes
 */
export function readHashes(tail: Uint8Array, count: number): Uint32Array {
  if (tail.length !== count * 8)
    throw new MigrationError('bad-hashes', `Cannot read hashes: ${tail.length} bytes, expected ${count * 8}`);
  const words = new Uint32Array(count * 2);
  const bytes = new Uint8Array(words.buffer);
  bytes.set(tail);
  swapLongs(bytes);
  return words;
}

export function hashBytes(words: Uint32Array, first: number, count: number): Uint8Array {
  return bytesOfLongs(words.subarray(first * 2, (first + count) * 2));
}

/**
 * The end of a run of hashes; runs ascend.
 * @param from the end of the run before
 * @throws MigrationError for pages that the machine does not have, and for repeated pages, with which a peer could
 * continue for ever
 */
export function endOfHashes(
  { first, count }: { first: number; count: number },
  from: number,
  pageCount: number,
): number {
  const end = first + count;
  if (first >= from && end <= pageCount) return end;
  throw new MigrationError(
    'bad-hashes',
    `Cannot take hashes of pages ${first} to ${end}: expected ascending ones from ${from} on, of ${pageCount}`,
  );
}
